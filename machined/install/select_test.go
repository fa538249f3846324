package install

import (
	"errors"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
)

var (
	stick = inspect.Disk{Name: "sda", Size: 32e9, Model: "SanDisk Ultra", Serial: "4C53", Transport: "usb", Removable: true, Boot: true}
	nvme  = inspect.Disk{Name: "nvme0n1", Size: 500e9, Model: "Samsung SSD 980 [a/b]", Serial: "S649", Transport: "nvme"}
	sata  = inspect.Disk{Name: "sdb", Size: 2e12, Model: "WDC WD20", Transport: "ata"}
	emmc  = inspect.Disk{Name: "mmcblk0", Size: 16e9, Model: "DF4016", Serial: "0x1", Transport: "mmc"}
	boot0 = inspect.Disk{Name: "mmcblk0boot0", Size: 4 << 20, Model: "DF4016", Serial: "0x1", Transport: "mmc"}
	cd    = inspect.Disk{Name: "sr0", Size: 1e9, Model: "DVD", Transport: "ata"}
)

func TestSelect(t *testing.T) {
	all := []inspect.Disk{emmc, boot0, nvme, stick, sata, cd}
	tests := []struct {
		name  string
		disks []inspect.Disk
		s     types.InstallDisk
		want  string // name of the disk, or parts of the error, separated by |
		err   error
	}{
		{"serial", all, types.InstallDisk{Serial: "S649"}, "nvme0n1", nil},
		{"model", all, types.InstallDisk{Model: "Samsung SSD 9?? *"}, "nvme0n1", nil},
		{"a model with what other patterns know", all, types.InstallDisk{Model: "*[a/b]"}, "nvme0n1", nil},
		{"transport, and parts of an eMMC", all, types.InstallDisk{Transport: "mmc"}, "mmcblk0", nil},
		{"transport, and an optical drive", all, types.InstallDisk{Transport: "ata"}, "sdb", nil},
		{"sizes", all, types.InstallDisk{MinSize: 100e9, MaxSize: 1e12}, "nvme0n1", nil},
		{"the size itself", all, types.InstallDisk{MinSize: 500e9, MaxSize: 500e9}, "nvme0n1", nil},
		{"name", all, types.InstallDisk{Name: "/dev/sdb"}, "sdb", nil},
		{"pattern of a name", all, types.InstallDisk{Name: "nvme*"}, "nvme0n1", nil},
		{"the one that is booted", all, types.InstallDisk{Transport: "usb"}, "sda", nil},
		{"all must match", all, types.InstallDisk{Transport: "nvme", MinSize: 1e12}, "/dev/nvme0n1 (Samsung SSD 980 [a/b], serial S649, nvme, 500 GB): its size is less than 1TB|" +
			"/dev/sda (SanDisk Ultra, serial 4C53, usb, 32 GB, the machine runs from it): its transport is not \"nvme\"|/dev/mmcblk0boot0 (DF4016, serial 0x1, mmc, 0 GB): it is a part of an eMMC", ErrNone},
		{"a serial that is not known", []inspect.Disk{sata}, types.InstallDisk{Serial: "x"}, "its serial is not known", ErrNone},
		{"several", all, types.InstallDisk{Name: "sd*"}, "/dev/sda (|/dev/sdb (WDC WD20, ata, 2.0 TB)|narrow it, best with serial", ErrSeveral},
		{"nothing is said", []inspect.Disk{nvme}, types.InstallDisk{}, "it says nothing", ErrNone},
		{"no disk", nil, types.InstallDisk{Name: "sd*"}, "no disk at all", ErrNone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := Select(test.disks, test.s)
			if !errors.Is(err, test.err) {
				t.Fatalf("%v, %v", d, err)
			}
			if err == nil && d.Name != test.want {
				t.Errorf("%s, want %s", d.Name, test.want)
			}
			for part := range strings.SplitSeq(test.want, "|") {
				if err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("%v; want %q in it", err, part)
				}
			}
		})
	}
}

package boards_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coracle-os/coracle/arch"
	archboards "github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/boards"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
)

// Debian's packages have what the models need, and it leaves most of BOOT free.
func TestDebianHasAll(t *testing.T) {
	if os.Getenv("CORACLE_TEST_ALL") == "" {
		t.Skip("fetches kernels of other architectures: CORACLE_TEST_ALL=1")
	}
	tools := disktest.Tools(t)
	for _, image := range []struct{ arch, flavour, metapackage, suite string }{
		{"arm64", "", "linux-image-arm64", ""},
		{"arm64", "rpi5", "linux-image-arm64", "trixie-backports"},
		{"armhf", "", "linux-image-armmp", ""},
	} {
		t.Run(image.arch+image.flavour, func(t *testing.T) {
			a, err := arch.Named(image.arch)
			if err != nil {
				t.Fatal(err)
			}
			models, err := archboards.RaspberryPi(a.GOARCH, image.flavour)
			if err != nil {
				t.Fatal(err)
			}
			packages := disktest.Fetch(t, a, boards.FirmwarePackage, boards.UBootPackage)
			files, err := boards.RaspberryPi(a.GOARCH, models, boards.Sources{
				Firmware: packages[0].Root, UBoot: packages[1].Root, Kernel: disktest.Kernel(t, a, image.metapackage, image.suite).Root,
			})
			if err != nil {
				t.Fatal(err)
			}
			need, err := fat.Spec{Files: files}.Need()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d files, %d bytes on BOOT", len(files), need)
			if need > disk.BootSize/2 {
				t.Errorf("they take %d of %d bytes; GRUB and a person's files need room too", need, disk.BootSize)
			}
			if err := fat.Make(t.Context(), tools, filepath.Join(t.TempDir(), "boot.fat"), fat.Spec{
				Size: disk.BootSize, Label: "CORACLEBOOT", Time: time.Unix(1_790_000_000, 0), Files: files,
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

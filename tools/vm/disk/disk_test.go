package disk

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

const (
	mib       = 1 << 20
	bootStart = 1 * mib
	bootSize  = 64 * mib
)

// image makes a disk with partitions numbered as Coracle's, whose BOOT holds what fill writes there.
func image(t *testing.T, fill func(path string)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.img")
	d, err := diskfs.Create(path, 80*mib, diskfs.SectorSizeDefault)
	if err != nil {
		t.Fatal(err)
	}
	table := &gpt.Table{LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true, Partitions: []*gpt.Partition{
		{Index: 1, Start: bootStart / 512, Size: bootSize, Type: gpt.EFISystemPartition, Name: Boot},
		{Index: 2, Start: (bootStart + bootSize) / 512, Size: 4 * mib, Type: gpt.LinuxFilesystem, Name: SlotA},
	}}
	if err := d.Partition(table); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	fill(path)
	return path
}

// fatByUs formats BOOT with the library that the imager uses.
func fatByUs(t *testing.T) func(string) {
	return func(path string) {
		b, err := file.OpenFromPath(path, false)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		fs, err := fat32.Create(b, bootSize, bootStart, 512, "CORACLEBOOT", true)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"EFI/BOOT", "coracle"} {
			if err := fs.Mkdir(dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeFile(fs, "coracle/grubenv", bytes.Repeat([]byte("#"), 1024)); err != nil {
			t.Fatal(err)
		}
	}
}

// fatByDosfstools formats BOOT with mkfs.vfat.
func fatByDosfstools(t *testing.T) func(string) {
	mkfs, err := exec.LookPath("mkfs.vfat")
	if err != nil {
		t.Skip("mkfs.vfat is not installed")
	}
	return func(path string) {
		part := filepath.Join(t.TempDir(), "fat")
		if out, err := exec.Command(mkfs, "-C", "-F", "32", part, "65536").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		content, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(content, bootStart); err != nil {
			t.Fatal(err)
		}
	}
}

func readBootFile(t *testing.T, path, name string) []byte {
	t.Helper()
	fs, closeDisk, err := openBoot(path, diskfs.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDisk()
	b, err := fs.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWriteBootFile(t *testing.T) {
	for name, format := range map[string]func(*testing.T) func(string){"go-diskfs": fatByUs, "dosfstools": fatByDosfstools} {
		t.Run(name, func(t *testing.T) {
			path := image(t, format(t))
			config := []byte("apiVersion: coracle/v1alpha1\n" + strings.Repeat("# more than a cluster\n", 100))
			if err := WriteBootFile(path, ConfigName, config); err != nil {
				t.Fatal(err)
			}
			if got := readBootFile(t, path, ConfigName); !bytes.Equal(got, config) {
				t.Errorf("read back %q", got)
			}
			// A shorter second version must not keep the end of the first.
			if err := WriteBootFile(path, ConfigName, []byte("kind: MachineConfig\n")); err != nil {
				t.Fatal(err)
			}
			if got := readBootFile(t, path, ConfigName); string(got) != "kind: MachineConfig\n" {
				t.Errorf("read back %q", got)
			}
			names, err := BootFiles(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(names, ConfigName) {
				t.Errorf("BOOT lists %q", names)
			}
			if got, err := ReadBootFile(path, ConfigName); err != nil || string(got) != "kind: MachineConfig\n" {
				t.Errorf("read %q, %v", got, err)
			}
			if err := RemoveBootFile(path, ConfigName); err != nil {
				t.Error(err)
			}
			if names, err := BootFiles(path); err != nil || slices.Contains(names, ConfigName) {
				t.Errorf("after it was removed, BOOT lists %q, %v", names, err)
			}
		})
	}
}

func TestWriteBootFileErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.img")
	if err := os.WriteFile(empty, make([]byte, mib), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"no partition table", empty, "partition table"},
		{"no file system", image(t, func(string) {}), "is not FAT32"},
		{"no file", filepath.Join(t.TempDir(), "none"), "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := WriteBootFile(c.path, ConfigName, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	path := image(t, fatByUs(t))
	got, err := Partition(path, SlotA)
	if want := (Range{Start: bootStart + bootSize, Size: 4 * mib}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := Partition(path, Data); err == nil || !strings.Contains(err.Error(), Data) {
		t.Errorf("a missing partition: %v", err)
	}
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	content := make([]byte, 3*chunk+100)
	content[0], content[2*chunk], content[len(content)-1] = 1, 2, 3
	if err := os.WriteFile(src, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 8 * chunk} {
		if err := Copy(dst, src, size); err != nil {
			t.Fatal(err)
		}
		want := content
		if size != 0 {
			want = append(bytes.Clone(content), make([]byte, 8*chunk)...)[:size]
		}
		if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, want) {
			t.Errorf("size %d: the copy differs (%d bytes, %v)", size, len(got), err)
		}
	}
}

func TestCopyToSmallerDisk(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	if err := os.WriteFile(src, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Copy(src+".disk", src, 99); err == nil || !strings.Contains(err.Error(), "more than the disk of 99 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestFlipBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte{7, 7, 7}, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := FlipBit(path, 1); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, []byte{7, 6, 7}) {
		t.Errorf("got %v", got)
	}
	if err := FlipBit(path, 3); err == nil {
		t.Error("no error past the end")
	}
}

func TestVolume(t *testing.T) {
	dir := t.TempDir()
	tar := filepath.Join(dir, "busybox.tar")
	content := bytes.Repeat([]byte("layer"), mib/4)
	if err := os.WriteFile(tar, content, 0o600); err != nil {
		t.Fatal(err)
	}
	volume := filepath.Join(dir, "volume.img")
	if err := Volume(volume, []File{{"images/busybox.tar", tar}, {"images/again.tar", tar}}); err != nil {
		t.Fatal(err)
	}
	b, err := file.OpenFromPath(volume, true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	info, err := b.Stat()
	if err != nil {
		t.Fatal(err)
	}
	fs, err := fat32.Read(b, info.Size(), 0, 512)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"images/busybox.tar", "images/again.tar"} {
		if got, err := fs.ReadFile(name); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if label := strings.TrimSpace(fs.Label()); label != volumeLabel {
		t.Errorf("label %q", label)
	}
	if err := Volume(volume, []File{{"images/none.tar", filepath.Join(dir, "none")}}); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestRoot(t *testing.T) {
	for name, root := range map[string]signature{"squashfs": squashfs, "erofs": erofs} {
		t.Run(name, func(t *testing.T) {
			path := image(t, fatByUs(t))
			if _, err := Root(path); err == nil {
				t.Error("found a root in an empty slot")
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			slotStart := int64(bootStart + bootSize)
			for at, text := range map[int64][]byte{1*mib + root.at: root.text, 3 * mib: verity.text} {
				if _, err := f.WriteAt(text, slotStart+at); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Root(path)
			if want := (Range{Start: slotStart + mib, Size: 2 * mib}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// A file of a slot image is changed where it is.
func TestChangeSlotFile(t *testing.T) {
	const cluster, sector = 1024, 512
	fat := make([]byte, 64*sector)
	le := binary.LittleEndian
	le.PutUint16(fat[11:], sector)
	fat[13] = cluster / sector
	le.PutUint16(fat[14:], 2)     // reserved sectors
	fat[16] = 2                   // tables
	le.PutUint32(fat[36:], 1)     // sectors of a table
	le.PutUint32(fat[44:], 2)     // the top folder's cluster
	folder := fat[4*sector:]      // cluster 2
	content := folder[3*cluster:] // cluster 5
	copy(folder[32:], "GRUB    CFG\x20")
	le.PutUint16(folder[32+26:], 5)
	le.PutUint32(folder[32+28:], 4)
	copy(content, "boot")
	if err := changeFile(fat, "grub.cfg", func(b []byte) []byte { return append(b, " it"...) }); err != nil {
		t.Fatal(err)
	}
	if size := le.Uint32(folder[32+28:]); size != 7 || string(content[:7]) != "boot it" {
		t.Errorf("%d bytes, %q", size, content[:7])
	}
	if err := changeFile(fat, "grub.cfg", func([]byte) []byte { return make([]byte, cluster+1) }); err == nil {
		t.Error("more than its clusters hold: no error")
	}
	if err := changeFile(fat, "vmlinuz", func(b []byte) []byte { return b }); err == nil {
		t.Error("a file that is not there: no error")
	}
}

package flash

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/filesystem/fat32"
	diskgpt "github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/klauspost/compress/zstd"
)

const (
	bootOffset, bootSize = 1 * mib, 40 * mib
	slotOffset, slotSize = bootOffset + bootSize, 3 * mib
	imageSize            = slotOffset + slotSize + mib
)

// newImage makes a disk image as the imager does: GPT, BOOT, and slot A, with something in each.
func newImage(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(imageSize); err != nil {
		t.Fatal(err)
	}
	table := &diskgpt.Table{LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true, Partitions: []*diskgpt.Partition{
		{Index: 1, Name: "coracle-boot", Type: diskgpt.EFISystemPartition, Start: bootOffset / 512, End: slotOffset/512 - 1},
		{Index: 2, Name: "coracle-a", Type: diskgpt.LinuxRootX86_64, Start: slotOffset / 512, End: (slotOffset+slotSize)/512 - 1},
	}}
	if err := table.Write(f, imageSize); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	boot := image[bootOffset : bootOffset+bootSize]
	system, err := fat32.Create(&memory{data: boot}, bootSize, 0, 512, "CORACLEBOOT", true)
	if err != nil {
		t.Fatal(err)
	}
	grub, err := system.OpenFile("/grub.cfg", os.O_CREATE|os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grub.Write([]byte("set x=y\n")); err != nil {
		t.Fatal(err)
	}
	grub.Close()
	for i := range slotSize {
		image[slotOffset+i] = byte(i * 7)
	}
	return image
}

func readFAT(t *testing.T, boot []byte, name string) string {
	t.Helper()
	system, err := fat32.Read(&memory{data: boot}, int64(len(boot)), 0, 512)
	if err != nil {
		t.Fatal(err)
	}
	f, err := system.OpenFile(name, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// store writes an image into a file, compressed or not.
func store(t *testing.T, image []byte, compressed bool) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "coracle.img")
	if compressed {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		image = e.EncodeAll(image, nil)
	}
	if err := os.WriteFile(name, image, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func quiet(string, int64, int64) {}

func TestWrite(t *testing.T) {
	image := newImage(t)
	for name, tc := range map[string]struct {
		compressed bool
		config     string
	}{
		"as it is":               {false, ""},
		"compressed":             {true, ""},
		"with a config":          {true, "kind: MachineConfig\n"},
		"with a config of 100 k": {false, strings.Repeat("# comment\n", 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Open(store(t, image, tc.compressed))
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if tc.config != "" {
				if err := i.PutConfig([]byte(tc.config)); err != nil {
					t.Fatal(err)
				}
			}
			disk, err := Inspect(filepath.Join(t.TempDir(), "disk"))
			if err != nil || !disk.New || disk.Check(i.Need()) != nil {
				t.Fatalf("%+v, %v", disk, err)
			}
			target, err := disk.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			phases := map[string]int64{}
			n, err := Write(t.Context(), i, target, func(phase string, done, total int64) {
				if done > total || done < phases[phase] {
					t.Errorf("%s: %d of %d after %d", phase, done, total, phases[phase])
				}
				phases[phase] = done
			})
			if err != nil || n != imageSize || phases["write"] != n || phases["verify"] != n {
				t.Fatalf("wrote %d, %v; progress %v", n, err, phases)
			}
			got, err := os.ReadFile(disk.Path)
			if err != nil {
				t.Fatal(err)
			}
			if tc.config == "" {
				if !bytes.Equal(got, image) {
					t.Error("the disk is not the image")
				}
				return
			}
			boot := got[bootOffset : bootOffset+bootSize]
			if text := readFAT(t, boot, "/machine.yaml"); text != tc.config {
				t.Errorf("the config has %d bytes, want %d", len(text), len(tc.config))
			}
			if text := readFAT(t, boot, "/grub.cfg"); text != "set x=y\n" {
				t.Errorf("the other file is %q", text)
			}
			if !bytes.Equal(got[:bootOffset], image[:bootOffset]) || !bytes.Equal(got[slotOffset:], image[slotOffset:]) {
				t.Error("more than BOOT is another")
			}
			fsck(t, boot)
		})
	}
}

// TestConfigOnRealFAT is with a file system made by the program that makes it for images.
func TestConfigOnRealFAT(t *testing.T) {
	mkfs, err := exec.LookPath("mkfs.fat")
	if err != nil {
		t.Skip("needs mkfs.fat")
	}
	name := filepath.Join(t.TempDir(), "boot")
	if err := os.WriteFile(name, make([]byte, bootSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-F", "32", "-a", "-S", "512", "-s", "1", "-n", "CORACLEBOOT", "--invariant", name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	boot, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{strings.Repeat("# long\n", 1000), "short: true\n"} {
		if err := putConfig(boot, []byte(config)); err != nil {
			t.Fatal(err)
		}
		if got := readFAT(t, boot, "/machine.yaml"); got != config {
			t.Errorf("got %d bytes, want %d", len(got), len(config))
		}
		fsck(t, boot)
	}
}

// fsck checks a FAT file system, where the program for it is.
func fsck(t *testing.T, boot []byte) {
	t.Helper()
	program, err := exec.LookPath("fsck.fat")
	if err != nil {
		return
	}
	name := filepath.Join(t.TempDir(), "boot")
	if err := os.WriteFile(name, boot, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-n", name).CombinedOutput(); err != nil {
		t.Errorf("fsck.fat: %v\n%s", err, out)
	}
}

func TestOpenRefuses(t *testing.T) {
	image := newImage(t)
	noBoot := bytes.Clone(image)
	copy(noBoot[512:], make([]byte, 512))
	copy(noBoot[446:510], make([]byte, 64))
	torn := bytes.Clone(image)
	torn[512+20]++
	for name, tc := range map[string]struct {
		content []byte
		error   string
	}{
		"a text":           {[]byte("hello"), "not a disk image"},
		"an empty file":    {nil, "not a disk image"},
		"zeros":            {make([]byte, 2*mib), "no partition table"},
		"another disk":     {noBoot, "not an image of Coracle"},
		"a damaged table":  {torn, "partition table"},
		"a damaged stream": {append(bytes.Clone(zstdMagic), 1, 2, 3), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if i, err := Open(store(t, tc.content, false)); err == nil || !strings.Contains(err.Error(), tc.error) {
				t.Errorf("%+v, error %v, want one with %q", i, err, tc.error)
			}
		})
	}
}

func TestCutOff(t *testing.T) {
	image := newImage(t)
	compressed, err := os.ReadFile(store(t, image, true))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"in slot A":              image[:slotOffset+mib],
		"in a sector":            image[:imageSize-100],
		"compressed, at the end": compressed[:len(compressed)-5],
		"compressed, before":     compressed[:len(compressed)/2],
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Open(store(t, content, false))
			if err != nil {
				if !strings.Contains(name, "before") { // half of it may be less than a MiB
					t.Fatal(err)
				}
				return
			}
			defer i.Close()
			target := &fake{data: make([]byte, imageSize)}
			if _, err := Write(t.Context(), i, target, quiet); err == nil {
				t.Fatal("written without an error")
			}
			if !bytes.Equal(target.data[:mib], make([]byte, mib)) {
				t.Error("a disk that is not whole has a partition table")
			}
		})
	}
}

// fake is a disk in memory that can be a bad one.
type fake struct {
	data   []byte
	losesA bool // gives back zeros where slot A is
	broken error
}

func (f *fake) WriteAt(b []byte, off int64) (int, error) {
	if f.broken != nil {
		return 0, f.broken
	}
	m := memory{data: f.data}
	return m.WriteAt(b, off)
}

func (f *fake) ReadAt(b []byte, off int64) (int, error) {
	return (&memory{data: f.data}).ReadAt(b, off)
}
func (f *fake) Sync() error  { return nil }
func (f *fake) Close() error { return nil }
func (f *fake) Uncache() error {
	if f.losesA {
		clear(f.data[slotOffset : slotOffset+512])
	}
	return nil
}

func TestBadDisks(t *testing.T) {
	name := store(t, newImage(t), false)
	broken := errors.New("I/O error")
	for what, tc := range map[string]struct {
		disk *fake
		want error
	}{
		"one that forgets":        {&fake{data: make([]byte, imageSize), losesA: true}, ErrDiffers},
		"one that does not write": {&fake{data: make([]byte, imageSize), broken: broken}, broken},
		"one that is larger":      {&fake{data: make([]byte, imageSize+mib)}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			i, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if _, err := Write(t.Context(), i, tc.disk, quiet); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		i, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		ctx, cancel := context.WithCancel(t.Context())
		disk := &fake{data: make([]byte, imageSize)}
		_, err = Write(ctx, i, disk, func(string, int64, int64) { cancel() })
		if !errors.Is(err, context.Canceled) || disk.data[510] != 0 {
			t.Errorf("error %v; the disk's first sector ends in %x", err, disk.data[510:512])
		}
	})
}

// mbrEntry writes an entry of the table in the first sector of an image.
func mbrEntry(image []byte, number int, kind byte, offset, size int64) {
	image[510], image[511] = 0x55, 0xaa
	e := image[446+16*(number-1):]
	e[4] = kind
	binary.LittleEndian.PutUint32(e[8:], uint32(offset/sectorSize))
	binary.LittleEndian.PutUint32(e[12:], uint32(size/sectorSize))
}

func TestMBR(t *testing.T) {
	type entry struct {
		number       int
		kind         byte
		offset, size int64 // MiB
	}
	for name, tc := range map[string]struct {
		entries []entry
		want    layout
		error   string
	}{
		"of Coracle":           {[]entry{{1, 0x0c, 1, 64}, {2, 0xda, 65, 256}}, layout{boot: extent{mib, 64 * mib}, end: 321 * mib, slot: 256 * mib}, ""},
		"after the first boot": {[]entry{{1, 0x0c, 1, 64}, {2, 0xda, 65, 256}, {3, 0xda, 321, 256}, {4, 0x83, 577, 1000}}, layout{boot: extent{mib, 64 * mib}, end: 1577 * mib, slot: 256 * mib}, ""},
		"of another system":    {[]entry{{1, 0x83, 1, 64}, {2, 0x0c, 65, 256}}, layout{}, "it has no partition BOOT"},
		"an overlap":           {[]entry{{1, 0x0c, 1, 64}, {2, 0xda, 64, 256}}, layout{}, "its partition table: partitions 1 and 2 overlap"},
		"BOOT over the table":  {[]entry{{1, 0x0c, 0, 64}, {2, 0xda, 65, 256}}, layout{}, "its partition table: a partition is not on the disk"},
	} {
		t.Run(name, func(t *testing.T) {
			head := make([]byte, mib)
			for _, e := range tc.entries {
				mbrEntry(head, e.number, e.kind, e.offset*mib, e.size*mib)
			}
			got, err := readLayout(head)
			if (err == nil) != (tc.error == "") || err != nil && !strings.Contains(err.Error(), tc.error) || got != tc.want {
				t.Errorf("got %+v, %v, want %+v, %q", got, err, tc.want, tc.error)
			}
		})
	}
	l := layout{boot: extent{mib, 64 * mib}, end: 321 * mib, slot: 256 * mib}
	if need := l.need(); need < 65*mib+2*256*mib+512*mib || need > 2e9 {
		t.Errorf("a disk needs %d bytes", need)
	}
}

// TestMBRConfig writes an image for a Raspberry Pi with a machine config.
func TestMBRConfig(t *testing.T) {
	image := newImage(t)[:slotOffset+slotSize] // whose end is slot A's: there is no backup of a table
	clear(image[:mib])
	copy(image[440:], "IDEN")
	mbrEntry(image, 1, 0x0c, bootOffset, bootSize)
	mbrEntry(image, 2, 0xda, slotOffset, slotSize)
	i, err := Open(store(t, image, true))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	const config = "kind: MachineConfig\n"
	if err := i.PutConfig([]byte(config)); err != nil {
		t.Fatal(err)
	}
	disk := &fake{data: make([]byte, len(image)+mib)}
	if _, err := Write(t.Context(), i, disk, quiet); err != nil {
		t.Fatal(err)
	}
	boot := disk.data[bootOffset : bootOffset+bootSize]
	if text := readFAT(t, boot, "/machine.yaml"); text != config {
		t.Errorf("the config is %q", text)
	}
	if !bytes.Equal(disk.data[:bootOffset], image[:bootOffset]) || !bytes.Equal(disk.data[slotOffset:len(image)], image[slotOffset:]) {
		t.Error("more than BOOT is another")
	}
	fsck(t, boot)
}

func TestCheck(t *testing.T) {
	good := Disk{Path: "/dev/sdb", Size: 2e9, Removable: true}
	for name, tc := range map[string]struct {
		change func(*Disk)
		error  string
	}{
		"good":         {func(*Disk) {}, ""},
		"small":        {func(d *Disk) { d.Size = 1e9 }, "too small"},
		"read-only":    {func(d *Disk) { d.ReadOnly = true }, "read-only"},
		"in use":       {func(d *Disk) { d.InUse = []string{"sdb1 is mounted on /media"} }, "mounted on /media"},
		"a small file": {func(d *Disk) { d.Size, d.File = 0, true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := good
			tc.change(&d)
			err := d.Check(15e8)
			if (err == nil) != (tc.error == "") || err != nil && !strings.Contains(err.Error(), tc.error) {
				t.Errorf("error %v, want one with %q", err, tc.error)
			}
		})
	}
	if _, err := Inspect("/dev/there-is-none"); err == nil {
		t.Error("a file would be made in /dev")
	}
	if _, err := Inspect(t.TempDir()); err == nil {
		t.Error("a folder would be written to")
	}
}

func TestParsePlist(t *testing.T) {
	const text = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Inner</key>
	<dict><key>WholeDisk</key><false/></dict>
	<key>MediaName</key>
	<string>SD &amp; Card </string>
	<key>TotalSize</key>
	<integer>31914983424</integer>
	<key>WholeDisk</key>
	<true/>
</dict>
</plist>`
	got, err := parsePlist(strings.NewReader(text))
	if err != nil || got["MediaName"] != "SD & Card" || got["TotalSize"] != "31914983424" || got["WholeDisk"] != "true" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parsePlist(strings.NewReader(text[:200])); err == nil {
		t.Error("a torn list was read")
	}
}

func FuzzReadLayout(f *testing.F) {
	f.Add([]byte("EFI PART"), []byte{0x55, 0xaa})
	f.Fuzz(func(t *testing.T, header, mbr []byte) {
		head := make([]byte, mib)
		copy(head[446:512], mbr)
		copy(head[512:], header)
		l, err := readLayout(head)
		if err == nil && (l.boot.offset < mib || l.boot.offset+l.boot.size > maxBoot || l.end < l.boot.offset+l.boot.size || l.need() < l.end) {
			t.Errorf("took %+v", l)
		}
	})
}

func FuzzParsePlist(f *testing.F) {
	f.Add("<plist><dict><key>a</key><string>b</string></dict></plist>")
	f.Fuzz(func(t *testing.T, s string) { parsePlist(strings.NewReader(s)) })
}

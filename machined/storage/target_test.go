package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// TestTarget makes a disk the copy of another, as far as file systems and the kernel have to do with it, and starts from it.
func TestTarget(t *testing.T) {
	for _, kind := range []string{"GPT", "MBR"} {
		t.Run(kind, func(t *testing.T) {
			source := newMachine(t, 2048)
			if kind == "MBR" {
				source = newMachineWith(t, 2048, func(f *os.File) error {
					_, err := f.WriteAt(makeMBR(flashedCard...)[:], 0)
					return err
				})
			}
			target := newMachine(t, 3072)
			source.mustBoot()
			target.mustBoot() // an earlier use: the kernel has its partitions, and a file system
			target.write("old", "old")
			if err := Usable(target.disk, 512); err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("a disk that is mounted: %v", err)
			}
			unix.Unmount(target.data, 0)
			if err := Usable(target.disk, 4096); err == nil || !strings.Contains(err.Error(), "it has sectors of 512 bytes") {
				t.Errorf("other sectors: %v", err)
			}
			if c, err := Look(target.disk, source.disk); err != nil || !strings.Contains(c.Held, `4 coracle-data (ext4, label "CORACLE-DATA")`) {
				t.Errorf("%+v, %v", c, err)
			}

			old, err := ReadTable(handover.Boot{Disk: source.disk})
			if err != nil {
				t.Fatal(err)
			}
			d, err := OpenTarget(target.disk, 512)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if known, _, _ := kernelPartitions(target.disk); len(known) != 0 {
				t.Errorf("the kernel still has %v", known)
			}
			table, err := TableFor(old, uint64(d.Size))
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []int64{0, d.Size - mib} { // install.Copier does this, and more
				if _, err := d.WriteAt(make([]byte, mib), at); err != nil {
					t.Fatal(err)
				}
			}
			devices, err := d.Partition(table)
			if err != nil || len(devices) != 4 {
				t.Fatal(devices, err)
			}
			fill := func(dir string) error { return os.WriteFile(DataDir(dir)+"/identity", []byte("mine"), 0o600) }
			if err := FillData(t.Context(), devices[table.Find(dataName)], func(string) {}, fill); err != nil {
				t.Fatal(err)
			}
			if c, err := Look(target.disk, source.disk); err != nil || c.Held != "" {
				t.Errorf("without its table it holds %+v, %v", c, err)
			}
			front := make([]byte, 512)
			source.change(func(f *os.File, _ int64) { f.ReadAt(front, 0) })
			if err := table.WriteNew(d, front); err != nil {
				t.Fatal(err)
			}
			d.Close()

			target.down()
			if r := target.mustBoot(); target.formatted || len(r.Notes) > 0 || target.read("lib/coracle/identity") != "mine" {
				t.Errorf("started from the copy: %+v", r)
			}
			if c, err := Look(target.disk, source.disk); err != nil || !c.Whole || c.Table != table.ID() {
				t.Errorf("it holds %+v, %v", c, err)
			}
			got, err := ReadTable(handover.Boot{Disk: target.disk})
			if err != nil || got.ID() != table.ID() || got.ID() == old.ID() {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestTableForADiskThatIsTooSmall(t *testing.T) {
	old := makeTable(t, 4096, append(append([]part{}, flashed...), part{3, slotBName, 321, 256}, part{4, dataName, 577, 3518})...)
	for _, c := range []struct {
		name string
		size uint64 // MiB
		want string
	}{
		{"less than the image", 200, "slot B needs 256 MiB and DATA needs 512 MiB; use a disk of at least 1091 MiB"},
		{"no room for slot B", 400, "use a disk of at least 1091 MiB"},
		{"no room for DATA", 1000, "use a disk of at least 1091 MiB"},
		{"the smallest", 1091, ""},
		{"larger", 8192, ""},
	} {
		table, err := TableFor(old, c.size*mib)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if data := table.Find(dataName); data != 4 || table.Partition(data).Last < table.LastUsable-2*perMiB {
			t.Errorf("%s: DATA is %+v", c.name, table.Partition(max(1, data)))
		}
	}
}

func TestFillBoot(t *testing.T) {
	block := blockOf(t, grubenv.State{Active: "a", Try: "b"})
	for _, name := range []string{"as it was", "a file is missing", "a file has another length"} {
		dir := t.TempDir()
		os.MkdirAll(filepath.Join(dir, "coracle"), 0o755)
		for _, file := range []string{"machine.yaml", "machine.yaml.imported", "coracle/custom.cfg", environmentName, copyName} {
			os.WriteFile(filepath.Join(dir, file), block, 0o600)
		}
		switch name {
		case "a file is missing":
			os.Remove(filepath.Join(dir, copyName))
		case "a file has another length":
			os.Truncate(filepath.Join(dir, environmentName), 100)
		}
		if err := fillBoot(dir, "b", []string{"machine.yaml", "machine.yaml.imported", "neither"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, file := range []string{environmentName, copyName} {
			got, err := os.ReadFile(filepath.Join(dir, file))
			if s, parseErr := grubenv.Parse(got); err != nil || parseErr != nil || s != (grubenv.State{Active: "b"}) || len(got) != grubenv.Size {
				t.Errorf("%s: %s says %+v, %v, %v", name, file, s, err, parseErr)
			}
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(left) != 1 {
			t.Errorf("%s: %v is left", name, left)
		}
		if _, err := os.Stat(filepath.Join(dir, "coracle/custom.cfg")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var _ partitions.Disk = (*Target)(nil)

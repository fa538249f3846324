package storage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/images/slot/grubenv"
)

func blockOf(t *testing.T, s grubenv.State) []byte {
	t.Helper()
	b, err := s.Block()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// environmentOf has the contents of the two files.
func environmentOf(first, second []byte) environment {
	return environment{map[string]block{environmentName: {content: first}, copyName: {content: second}}}
}

func TestStateIsWhatTheBootLoaderSees(t *testing.T) {
	b := blockOf(t, grubenv.State{Active: "b"})
	ones := bytes.Repeat([]byte{0xff}, grubenv.Size)
	for _, c := range []struct {
		name          string
		first, second []byte
		want          grubenv.State
		whole         bool
	}{
		{"both", blockOf(t, grubenv.State{Active: "b", Tried: "b"}), b, grubenv.State{Active: "b", Tried: "b"}, true},
		{"the first is damaged", ones, b, grubenv.State{Active: "b"}, false},
		{"the first has no active slot", blockOf(t, grubenv.State{Try: "a"}), b, grubenv.State{Active: "b"}, false},
		{"the copy is damaged", blockOf(t, grubenv.State{Active: "b", Try: "a"}), ones, grubenv.State{Active: "b", Try: "a"}, false},
		{"the copy is of another slot", blockOf(t, grubenv.State{Active: "a"}), b, grubenv.State{Active: "a"}, false},
		{"both are damaged", ones, make([]byte, grubenv.Size), grubenv.State{Active: "a"}, false},
		{"the first is not as long as it was", blockOf(t, grubenv.State{Active: "b", Try: "a"})[:grubenv.Sector], b, grubenv.State{Active: "b", Try: "a"}, false},
		{"there are none", nil, nil, grubenv.State{Active: "a"}, false},
	} {
		e := environmentOf(c.first, c.second)
		if got := e.state(); got != c.want || e.whole() != c.whole {
			t.Errorf("%s: %+v, whole %v; want %+v, %v", c.name, got, e.whole(), c.want, c.whole)
		}
	}
}

func TestWritesAreFewAndInOrder(t *testing.T) {
	a := grubenv.State{Active: "a"}
	e := environmentOf(blockOf(t, a), blockOf(t, a))
	for _, c := range []struct {
		name  string
		to    grubenv.State
		files []string
	}{
		{"nothing", a, nil},
		{"arm", grubenv.State{Active: "a", Try: "b"}, []string{environmentName}},
		{"confirm", grubenv.State{Active: "b"}, []string{copyName, environmentName}},
	} {
		todo, err := e.writes(c.to)
		if err != nil || len(todo) != len(c.files) {
			t.Fatalf("%s: %d writes, %v; want %q", c.name, len(todo), err, c.files)
		}
		for i, w := range todo {
			if w.name != c.files[i] {
				t.Errorf("%s: write %d is of %s, want %s", c.name, i, w.name, c.files[i])
			}
		}
	}
}

// Whatever sector of whatever write the power cut destroys, the slot that is booted is one that was good before or is
// good now.
func TestTornWritesLeaveAGoodSlot(t *testing.T) {
	before, after := grubenv.State{Active: "a", Tried: "b"}, grubenv.State{Active: "b"}
	old := map[string][]byte{environmentName: blockOf(t, before), copyName: blockOf(t, grubenv.State{Active: "a"})}
	e := environmentOf(old[environmentName], old[copyName])
	todo, err := e.writes(after)
	if err != nil {
		t.Fatal(err)
	}
	for torn := range todo {
		now := map[string][]byte{environmentName: old[environmentName], copyName: old[copyName]}
		for _, w := range todo[:torn] {
			now[w.name] = w.block
		}
		damaged := bytes.Clone(now[todo[torn].name])
		copy(damaged[:grubenv.Sector], bytes.Repeat([]byte{0xee}, grubenv.Sector))
		now[todo[torn].name] = damaged
		got := environmentOf(now[environmentName], now[copyName]).state()
		if got != before && got != after {
			t.Errorf("torn in write %d: the boot loader sees %+v", torn, got)
		}
	}
}

// partitionFile counts writes and wants them to be sectors.
type partitionFile struct {
	*os.File
	t      *testing.T
	sector int
	writes []int64
}

func (p *partitionFile) WriteAt(b []byte, at int64) (int, error) {
	if len(b) != p.sector || at%int64(p.sector) != 0 {
		p.t.Errorf("a write of %d bytes at %d", len(b), at)
	}
	p.writes = append(p.writes, at)
	return p.File.WriteAt(b, at)
}

func TestReplaceSectors(t *testing.T) {
	for _, c := range []struct {
		name   string
		sector int
		old    byte
		writes int
	}{
		{"sectors of 512 bytes, only the first differs", 512, '#', 1},
		{"sectors of 512 bytes, both differ", 512, 0xff, 2},
		{"sectors of 4096 bytes", 4096, '#', 1},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "partition"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(bytes.Repeat([]byte{c.old}, 16384)); err != nil {
			t.Fatal(err)
		}
		p := &partitionFile{File: f, t: t, sector: c.sector}
		content := blockOf(t, grubenv.State{Active: "b"})
		if err := replaceSectors(p, 6144, content, c.sector); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		want := bytes.Repeat([]byte{c.old}, 16384)
		copy(want[6144:], content)
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the partition is not what it should be", c.name)
		}
		if len(p.writes) != c.writes || p.writes[len(p.writes)-1] > 6144 {
			t.Errorf("%s: writes at %v, want %d, the first sector last", c.name, p.writes, c.writes)
		}
	}
}

// forgetful is a disk that says it wrote and did not.
type forgetful struct{ *os.File }

func (forgetful) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

func TestReplaceSectorsNoticesAFailingDisk(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "partition"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Truncate(4096), replaceSectors(forgetful{f}, 1024, blockOf(t, grubenv.State{Active: "b"}), 512)); err == nil {
		t.Error("no error")
	}
}

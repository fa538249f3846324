package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/init/handover"
)

// Files of the boot loader's state on BOOT. configs/grub/boot.cfg reads the copy when the first cannot be believed.
const (
	environmentName = "coracle/grubenv"
	copyName        = "coracle/grubenv.copy"
)

// largest is how much is read of a file that somebody has put in the place of one of these, in bytes.
const largest = 64 << 10

// environment is the boot loader's state as it is on BOOT.
type environment struct {
	files map[string]block
}

// block is a file of the environment: what is in it, and where on the partition that is.
type block struct {
	content []byte
	at      int64 // bytes; 0: it has to be made through the file system
}

// state is what the boot loader makes of it.
func (e environment) state() grubenv.State {
	if s, err := grubenv.Parse(e.files[environmentName].content); err == nil && s.Valid() {
		return s
	}
	s, err := grubenv.Parse(e.files[copyName].content)
	if err != nil || !s.Valid() {
		return grubenv.State{Active: "a"}
	}
	return grubenv.State{Active: s.Active}
}

// whole is whether both files are as [WriteEnvironment] leaves them.
func (e environment) whole() bool {
	first, second := e.files[environmentName].content, e.files[copyName].content
	s, err := grubenv.Parse(first)
	c, errCopy := grubenv.Parse(second)
	return err == nil && errCopy == nil && len(first) == grubenv.Size && len(second) == grubenv.Size &&
		s.Valid() && c == grubenv.State{Active: s.Active}
}

// write is a file of the environment and its new content.
type write struct {
	name  string
	block []byte
}

// writes are what makes the environment say s, in order. The copy comes first: when the power is cut in the middle
// of the other, it is what counts. It has nothing but the active slot, so it changes only with that.
func (e environment) writes(s grubenv.State) ([]write, error) {
	first, err := s.Block()
	if err != nil {
		return nil, err
	}
	second, err := grubenv.State{Active: s.Active}.Block()
	if err != nil {
		return nil, err
	}
	var todo []write
	for _, w := range []write{{copyName, second}, {environmentName, first}} {
		if string(e.files[w.name].content) != string(w.block) {
			todo = append(todo, w)
		}
	}
	return todo, nil
}

// ReadEnvironment returns what the boot loader makes of its state, and whether both files of it are in order.
func ReadEnvironment(boot handover.Boot) (s grubenv.State, whole bool, err error) {
	e, err := readEnvironment(boot)
	return e.state(), e.whole(), err
}

// WriteEnvironment changes the boot loader's state, and returns when it is on the disk.
//
// Only sectors of the files themselves are written, each in one piece, straight to the partition: a power cut can
// damage one sector of one of two files, and nothing of the file system. That is how the boot loader writes, too.
func WriteEnvironment(boot handover.Boot, s grubenv.State) error {
	e, err := readEnvironment(boot)
	if err != nil {
		return err
	}
	todo, err := e.writes(s)
	if err != nil {
		return err
	}
	for _, w := range todo {
		if err := writeBlock(boot, e.files[w.name].at, w); err != nil {
			return fmt.Errorf("write %s on BOOT: %w", w.name, err)
		}
	}
	return nil
}

func readEnvironment(boot handover.Boot) (environment, error) {
	e := environment{map[string]block{}}
	return e, WithBoot(boot, false, func(dir string) error {
		for _, name := range []string{environmentName, copyName} {
			b, err := readBlock(boot.Boot, filepath.Join(dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			e.files[name] = b
		}
		return nil
	})
}

// readBlock asks the kernel where a file of the environment is on the partition, and reads it there, as it was written: when a
// pod has BOOT mounted too, what the file system has of it in memory may be older.
func readBlock(partition, path string) (block, error) {
	var b block
	f, err := os.Open(path)
	if err != nil {
		return b, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	if info.Size() != grubenv.Size {
		b.content, err = io.ReadAll(io.LimitReader(f, largest))
		return b, err
	}
	if b.at, err = placeOf(f, grubenv.Size); err != nil {
		return b, err
	}
	p, sector, err := openDirect(partition, os.O_RDONLY)
	if err != nil {
		return b, err
	}
	defer p.Close()
	b.content, err = readSectors(p, b.at, grubenv.Size, sector)
	return b, err
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Files are the configs that a machine keeps on DATA. Whenever the power is cut, each of them is whole: what it was, or
// what it was to be.
type Files struct {
	Dir string // of [Path]
}

const (
	inForceName  = "machine.yaml"
	previousName = "machine.yaml.previous" // what was in force before
	stagedName   = "machine.yaml.staged"   // for the next boot
	newName      = "machine.yaml.new"      // not in force yet
)

func (f Files) path(name string) string { return filepath.Join(f.Dir, name) }

// InForce is the config in force; an error that is [fs.ErrNotExist] when there is none.
func (f Files) InForce() ([]byte, error) { return os.ReadFile(f.path(inForceName)) }

// Staged is the config for the next boot; nil: none.
func (f Files) Staged() ([]byte, error) {
	text, err := os.ReadFile(f.path(stagedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Stage keeps a config for the next boot.
func (f Files) Stage(text []byte) error {
	return atomicfile.Write(f.path(stagedName), text, 0o600)
}

// Unstage forgets the config for the next boot.
func (f Files) Unstage() error {
	err := os.Remove(f.path(stagedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.SyncDir(f.Dir)
}

// Prepare writes text beside the config in force, so that what can go wrong with the disk does before anything changes.
// [Files.Commit] puts it in force.
func (f Files) Prepare(text []byte) error {
	return atomicfile.Write(f.path(newName), text, 0o600)
}

// Commit puts the prepared config in force and keeps the one before.
func (f Files) Commit() error { return f.put(newName) }

// Discard forgets the prepared config.
func (f Files) Discard() error { return os.Remove(f.path(newName)) }

// TakeStaged puts the config for the next boot in force, as this is that boot. It says whether there was one. check is
// whether it can be used; one that cannot stays where it is.
func (f Files) TakeStaged(check func([]byte) error) (bool, error) {
	text, err := f.Staged()
	if err != nil || text == nil {
		return false, err
	}
	if err := check(text); err != nil {
		return false, err
	}
	return true, f.put(stagedName)
}

// put renames a file to that of the config in force. The one before gets a second name first, so that there is one in
// force at every moment.
func (f Files) put(name string) error {
	second := f.path(previousName + ".new")
	if err := os.Remove(second); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(f.path(inForceName), second)
	if err == nil {
		err = os.Rename(second, f.path(previousName))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the config from before: %w", err)
	}
	if err := os.Rename(f.path(name), f.path(inForceName)); err != nil {
		return err
	}
	return atomicfile.SyncDir(f.Dir)
}

// Remove forgets all configs.
func (f Files) Remove() error {
	if err := os.RemoveAll(f.Dir); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(f.Dir))
}

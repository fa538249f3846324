package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Files in the folder of machined's state on DATA.
const (
	copiesName    = "installs.json"  // the copies that this system has made
	installedName = "installed.json" // that this system is such a copy
)

// Made is a copy of the system on another disk.
type Made struct {
	Table   string    `json:"table"`   // ID of the partition table, which was made for it
	Disk    string    `json:"disk"`    // for a person
	Machine string    `json:"machine"` // ID of the machine, which is the copy's since then
	Time    time.Time `json:"time"`    // by the clock then
}

// mostCopies is how many are remembered.
const mostCopies = 256

// Copies reads which copies this system has made. dir is the folder of machined's state.
func Copies(dir string) ([]Made, error) {
	var list []Made
	b, err := os.ReadFile(filepath.Join(dir, copiesName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read which disks this system was copied to: %w", err)
	}
	return list, nil
}

// CopyOf is the last copy that has the identity of the machine with that ID; nil: there is none.
func CopyOf(copies []Made, machine string) *Made {
	for i := range slices.Backward(copies) {
		if copies[i].Machine == machine {
			return &copies[i]
		}
	}
	return nil
}

// Remember adds a copy. It is to be on the disk before the copy can be started from: that is never made again.
func Remember(dir string, m Made) error {
	list, err := Copies(dir)
	if err != nil {
		return err
	}
	list = append(list, m)
	return write(dir, copiesName, list[max(0, len(list)-mostCopies):])
}

// IsInstalled is whether the system is a copy that was installed.
func IsInstalled(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, installedName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// MarkInstalled makes the system whose state is in dir a copy that was installed.
func MarkInstalled(dir string, m Made) error { return write(dir, installedName, m) }

func write(dir, name string, content any) error {
	b, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, name), append(b, '\n'), 0o600)
}

package update

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// A later version may add fields to the machine config, and a machine that goes back could not read it. So each version's
// config is kept when another is tried, for the day on which it is gone back to.

const (
	keptConfigPrefix = "config-"
	keptConfigSuffix = ".yaml"
)

// KeptConfig is the file with the machine config as a version had it last; dir is [Updater.Dir].
func KeptConfig(dir, version string) string {
	return filepath.Join(dir, keptConfigPrefix+version+keptConfigSuffix)
}

// keepConfig keeps the config in force, before version next is tried. Those of versions that are in no slot are
// forgotten.
func (u *Updater) keepConfig(next string) error {
	own := KeptConfig(u.Dir, u.Release.Version)
	if text := u.Config(); text != nil {
		if err := u.writeFile(own, text); err != nil {
			return fmt.Errorf("keep the machine config for this version: %w", err)
		}
	}
	entries, err := os.ReadDir(u.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(u.Dir, e.Name())
		if strings.HasPrefix(e.Name(), keptConfigPrefix) && path != own && path != KeptConfig(u.Dir, next) {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("forget the machine config of a version before: %w", err)
			}
		}
	}
	return nil
}

// writeFile writes a file in [Updater.Dir], or leaves it as it was.
func (u *Updater) writeFile(path string, content []byte) error {
	if u.keepFile != nil {
		return u.keepFile(path, content)
	}
	return atomicfile.Write(path, content, 0o600)
}

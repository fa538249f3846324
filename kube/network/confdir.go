package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeConfDir makes the folder of CNI configuration. On a machine it is a link in the read-only root to a folder in
// /run that does not exist yet, which os.MkdirAll takes for a file in the way.
func MakeConfDir(path string) error {
	target, err := os.Readlink(path)
	switch {
	case err == nil && !filepath.IsAbs(target):
		target = filepath.Join(filepath.Dir(path), target)
	case err != nil: // not a link, or not there
		target = path
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("folder of CNI configuration %s: %w", path, err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("folder of CNI configuration %s: the link to %s leads nowhere", path, target)
	}
	return nil
}

package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Path is the file that kubectl changes: the first of $KUBECONFIG, else ~/.kube/config.
func Path(env, home string) string {
	for _, path := range filepath.SplitList(env) {
		if path != "" {
			return path
		}
	}
	return filepath.Join(home, ".kube", "config")
}

// MergeFile merges from into the file at path, as [Merge] does. The file's mode stays; a new one is its owner's alone,
// as it has a private key. A symbolic link stays one.
func MergeFile(path string, from []byte, use bool) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode := fs.FileMode(0o600)
	before, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("read the kubeconfig: %w", err)
	default:
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	after, err := Merge(before, from, use)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w; nothing was changed", path, err)
	}
	return atomicfile.Write(path, after, mode)
}

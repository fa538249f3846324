package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/coracle-os/coracle/arch"
)

// builtKube is where the imager leaves the program that is kubectl by that name, in the folder of what was built: that of the image
// for this host's architecture.
func builtKube() (string, error) {
	host, err := arch.Host()
	return filepath.Join("work", host.Name, "bin/usr/bin/kube"), err
}

// Kubectl finds a kubectl: the image's own, which runs on this host too, by a link in the folder bin of out, which it makes;
// or the host's.
func Kubectl(out string) (string, error) {
	link, err := filepath.Abs(filepath.Join(out, "bin", "kubectl"))
	if err != nil {
		return "", err
	}
	built, err := builtKube()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(out, built)); err == nil {
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return "", fmt.Errorf("link kubectl: %w", err)
		}
		if err := os.Symlink(filepath.Join("..", built), link); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("link kubectl: %w", err)
		}
	}
	if path, err := exec.LookPath(link); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("no kubectl on this host, and no %s to make one of: `make image` for this architecture builds it", filepath.Join(out, built))
}

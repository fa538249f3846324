package device

import (
	"errors"
	"os/exec"
	"path/filepath"
)

// Kubectl finds a kubectl: the one of the image, which the build leaves in the folder bin of out, or that of the host.
func Kubectl(out string) (string, error) {
	if own, err := filepath.Abs(filepath.Join(out, "bin", "kubectl")); err == nil {
		if path, err := exec.LookPath(own); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	return "", errors.New("no kubectl: `make image` leaves one in " + filepath.Join(out, "bin"))
}

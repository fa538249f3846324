package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Digest is a SHA-256 over all that is packed: paths, kinds, modes, link targets and contents.
func (t *Tree) Digest() (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(t.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.Dir, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %s ", rel, info.Mode())
		switch {
		case d.IsDir():
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%q", target)
		default:
			fmt.Fprintf(h, "%d ", info.Size())
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := io.Copy(h, f); err != nil {
				return err
			}
		}
		_, err = io.WriteString(h, "\n")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("digest of the root: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

package gobuild

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fingerprint is a digest of the commit and of all files of the repository at dir that git does not ignore. Two builds can
// only be compared when it stayed the same.
func Fingerprint(ctx context.Context, dir string) (string, error) {
	head, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return "", fmt.Errorf("find the commit: %w", err)
	}
	list, err := git(ctx, dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return "", fmt.Errorf("list the sources: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", head)
	for name := range strings.SplitSeq(list, "\x00") {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if name == "" || errors.Is(err, fs.ErrNotExist) { // deleted, not committed
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %x\n", name, sha256.Sum256(content))
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

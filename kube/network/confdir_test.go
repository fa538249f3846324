package network

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeConfDir(t *testing.T) {
	for _, tc := range []struct {
		name string
		link string // target of DIR/net.d, "" for none
		want string // the folder made, in DIR
	}{
		{"no link", "", "net.d"},
		{"link to a folder that is not there", "run/coracle/cni", "run/coracle/cni"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "net.d")
			for _, target := range []string{tc.link, filepath.Join(dir, tc.link)} { // relative, absolute
				os.RemoveAll(filepath.Join(dir, "run"))
				os.Remove(path)
				if tc.link != "" {
					if err := os.Symlink(target, path); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 { // the second time it is there
					if err := MakeConfDir(path); err != nil {
						t.Fatal(err)
					}
				}
				if fi, err := os.Lstat(filepath.Join(dir, tc.want)); err != nil || !fi.IsDir() {
					t.Errorf("link to %q: not made: %v", target, err)
				}
			}
		})
	}
}

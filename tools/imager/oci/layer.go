package oci

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"time"
)

// File is one entry of a layer. It is a link if Symlink is set, a folder if Folder is, else a file with the content
// Data, or that of the file Source when that is set. All belong to root.
type File struct {
	Path    string // absolute; missing folders above it are made
	Mode    int64  // as of chmod(2), such as 0o755
	Source  string
	Data    []byte
	Symlink string
	Folder  bool
}

// layer is the tar of the files, in the order of their paths.
func layer(files []File, created time.Time) ([]byte, error) {
	entries := map[string]File{}
	for _, f := range files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
			return nil, fmt.Errorf("%q is not a clean absolute path of a file", f.Path)
		}
		if _, twice := entries[f.Path]; twice {
			return nil, fmt.Errorf("%s is there twice", f.Path)
		}
		entries[f.Path] = f
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			above, ok := entries[dir]
			if ok && !above.Folder {
				return nil, fmt.Errorf("%s is below %s, which is no folder", f.Path, dir)
			}
			if !ok {
				entries[dir] = File{Path: dir, Folder: true, Mode: 0o755}
			}
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := entries[name].write(w, created); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (f File) write(w *tar.Writer, created time.Time) error {
	h := &tar.Header{Name: f.Path[1:], ModTime: created, Format: tar.FormatPAX, Mode: f.Mode}
	data := f.Data
	switch {
	case f.Symlink != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.Symlink, 0o777
	case f.Folder:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	default:
		if f.Source != "" {
			var err error
			if data, err = os.ReadFile(f.Source); err != nil {
				return err
			}
		}
		h.Typeflag, h.Size = tar.TypeReg, int64(len(data))
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := w.Write(data)
	return err
}

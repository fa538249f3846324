package bootfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	index "github.com/coracle-os/coracle/images/bootfiles"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

// What Coracle wrote last of the files that people may change is kept on DATA: the SHA-256 by path. A file that was flashed gets there
// when it is seen to be that of the version that runs. Where nothing is known of a file, it counts as changed.

func readOurs(path string) (map[string]string, error) {
	ours := map[string]string{}
	if path == "" {
		return ours, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ours, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &ours)
	}
	if err != nil {
		err = fmt.Errorf("what Coracle wrote on BOOT is not known any more, so files that people may change are left alone: %w", err)
		return map[string]string{}, errors.Join(err, os.Rename(path, path+".damaged"))
	}
	if ours == nil { // null
		ours = map[string]string{}
	}
	return ours, nil
}

// keepOurs takes notice of the files that are now as the index has them.
func (k Keeper) keepOurs(ours map[string]string, files []index.File, sums map[string]string) error {
	known := maps.Clone(ours)
	for _, f := range files {
		if f.KeepIfChanged && sums[f.Path] == f.SHA256 {
			known[f.Path] = f.SHA256
		}
	}
	if k.Ours == "" || maps.Equal(known, ours) {
		return nil
	}
	b, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if b = append(b, '\n'); k.keepFile != nil {
		return k.keepFile(k.Ours, b)
	}
	return atomicfile.Write(k.Ours, b, 0o600)
}

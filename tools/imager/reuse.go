package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
)

// reuse runs make, which makes the file name, unless the file is there and was made with the same key. The key is beside
// the file, with the file's own digest, so that neither a changed file nor half a one is taken for good.
func reuse(name string, key []any, make func() error) (again bool, err error) {
	stamp := name + ".key"
	want := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", fmt.Sprintf("%+v", key))))
	if old, err := os.ReadFile(stamp); err == nil {
		if digest, err := fileDigest(name); err == nil && string(old) == want+" "+digest {
			return true, nil
		}
	}
	if err := os.Remove(stamp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := make(); err != nil {
		return false, err
	}
	digest, err := fileDigest(name)
	if err != nil {
		return false, err
	}
	return false, os.WriteFile(stamp, []byte(want+" "+digest), 0o644)
}

// fileDigest is a file's SHA-256 in hex.
func fileDigest(name string) (string, error) {
	sum, _, err := digestAndSize(name)
	return hex.EncodeToString(sum), err
}

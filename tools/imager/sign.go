package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/keys"
)

// sign adds a signature to an artifact, in place: whoever reads it meanwhile has the old file or the new one.
func sign(name, keyFile string) error {
	if keyFile == "" {
		return errors.New("sign: whose signature? give --key FILE")
	}
	key, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	a, err := artifact.Read(f)
	if err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	if bytes.Contains(a.Signatures, []byte(keys.Public(key).String())) {
		return fmt.Errorf("%s is signed by that key already", name)
	}
	signatures := a.Signatures
	if len(signatures) > 0 && !bytes.HasSuffix(signatures, []byte("\n")) {
		signatures = append(signatures, '\n')
	}
	signatures = append(signatures, artifact.Sign(a.RawManifest, key)...)
	h, err := blake2b.New256(nil)
	if err != nil {
		return err
	}
	err = replaceFile(name, func(w io.Writer) error {
		image := io.TeeReader(a.Image, h)
		if err := artifact.Write(w, a.RawManifest, signatures, image, int64(a.Manifest.Packed.Size), a.Manifest.Time()); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != a.Manifest.Packed.Hash {
			return errors.New("its image is not the one of its manifest: it was damaged, get it again")
		}
		return a.End()
	})
	if err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	fmt.Printf("%s is signed by %s\n", name, keys.Public(key).Fingerprint())
	return nil
}

// replaceFile writes a file that is there under its name only when it is whole and on the disk.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/gobuild"
)

// repro builds image and artifact twice, in two empty folders, and compares every output. Only downloaded packages, the
// development key and Go's build cache are shared.
func repro(ctx context.Context, file, out, cache string, o options) error {
	dir, err := definition.Repository(file)
	if err != nil {
		return err
	}
	before, err := gobuild.Fingerprint(ctx, dir)
	if err != nil {
		return err
	}
	var builds [2][]output
	for i := range builds {
		to := filepath.Join(out, "repro", fmt.Sprint(i+1))
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if builds[i], err = build(ctx, file, to, cache, diskImage|upgradeArtifact, o); err != nil {
			return err
		}
	}
	after, err := gobuild.Fingerprint(ctx, dir)
	if err != nil {
		return err
	}
	if before != after {
		return errors.New("the sources were changed while they were built, so the two builds cannot be compared: run it again")
	}
	if err := compare(builds[0], builds[1]); err != nil {
		return err
	}
	fmt.Printf("%d outputs of two builds are the same, byte for byte\n", len(builds[0]))
	return nil
}

// compare finds the first output that differs. The parts of an image come before what is made of them.
func compare(a, b []output) error {
	if len(a) != len(b) {
		return fmt.Errorf("the builds made %d and %d outputs", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			return fmt.Errorf("the builds differ, first in %s (%d bytes, %s) and %s (%d bytes, %s): compare the two below repro/1 and repro/2",
				a[i].Name, a[i].Size, a[i].SHA256, b[i].Name, b[i].Size, b[i].SHA256)
		}
	}
	return nil
}

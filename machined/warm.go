package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"

	"github.com/coracle-os/coracle/kube/control"
)

// warmKube has what kube begins with read, verified and decompressed while disk and network are prepared: one of several
// processors has little to do meanwhile. Asked for its version kube initializes all its packages, and does nothing else.
func (d *daemon) warmKube(context.Context) error {
	if _, err := os.Stat(control.PIDPath); !errors.Is(err, fs.ErrNotExist) || runtime.NumCPU() == 1 {
		return nil // it runs, or there is no other processor
	}
	cmd := exec.Command(kubeProgram.Path, "version")
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() //nolint:errcheck // that the pages are in memory is all that is wanted
	return nil
}

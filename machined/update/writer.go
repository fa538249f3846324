package update

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// errDamaged is that an image is not the one that was signed.
var errDamaged = errors.New("what arrived is not what was signed: it was damaged on its way; try again")

// writeImage writes an unpacked slot image to the idle slot and returns when it is on the disk and was read back. Until
// then the slot has no record, and nobody boots it. progress gets the bytes that are done.
func writeImage(ctx context.Context, p partition, size int64, image io.Reader, want artifact.Part, progress func(step string, done uint64)) error {
	// First of all: whatever happens from here on, the slot does not count as whole.
	if err := record.Write(p, size, record.Record{}); err != nil {
		return err
	}
	got, err := direct.Copy(ctx, p, image, want.Size, func(done uint64) { progress(StepWrite, done) })
	switch {
	case errors.Is(err, direct.ErrLonger):
		return errDamaged
	case err != nil:
		return err
	case got != want.Hash:
		return errDamaged
	}
	if err := p.Sync(); err != nil {
		return fmt.Errorf("write to the slot: %w", err)
	}
	got, err = direct.Hash(ctx, p, want.Size, func(done uint64) { progress(StepVerify, done) })
	if err != nil {
		return err
	}
	if got != want.Hash {
		return errors.New("what was written to the slot is not what is read from it: the disk is failing")
	}
	return nil
}

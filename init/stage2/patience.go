package main

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// errHangs is that the kernel does not come back from a call about a mount.
var errHangs = errors.New("unmounting hangs; its disk or server does not answer")

// patience makes calls about mounts that may hang, so that one whose disk is dead does not keep the others from being
// unmounted. A call that hangs goes on in the background; the kernel cannot be told to stop.
type patience struct {
	limit time.Duration         // for one call
	calls map[string]chan error // that hung, by mount
}

func newPatience() *patience {
	return &patience{limit: 2 * time.Second, calls: make(map[string]chan error)}
}

// try makes a call about a mount, unless one about the same still hangs. Each that hangs halves the patience with the
// next: however many there are, the others have their turn.
func (p *patience) try(target string, call func() error) error {
	if slices.Contains(p.hanging(), target) {
		return errHangs
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("it has a defect")
		survived("unmount "+target, func() { err = call() })
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(p.limit):
		p.calls[target] = done
		p.limit = max(p.limit/2, 50*time.Millisecond)
		return errHangs
	}
}

// hanging lists the mounts with a call that still hangs.
func (p *patience) hanging() []string {
	maps.DeleteFunc(p.calls, func(_ string, done chan error) bool { return len(done) > 0 })
	return slices.Sorted(maps.Keys(p.calls))
}

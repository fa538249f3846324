package main

import (
	"strings"

	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/kmsg"
)

// onTrial is the slot that is on trial, if it is. What happens to it is written into its record, for the version that
// takes over if this one does not come up.
type onTrial struct {
	slot string // device; empty: this is an ordinary boot
}

var trial onTrial

// begin notes that the kernel and stage 1 run.
func (t *onTrial) begin(slot string) {
	t.slot = slot
	t.reach(record.Kernel)
}

// reach notes how far the boot came.
func (t *onTrial) reach(phase record.Phase) {
	t.update(func(r *record.Record) { r.Phase = phase })
}

// refused notes why the slot is not started.
func (t *onTrial) refused(err error) {
	reason, _, _ := strings.Cut(err.Error(), "\n")
	t.update(func(r *record.Record) { r.Reason = reason })
}

func (t *onTrial) update(change func(*record.Record)) {
	if t.slot == "" {
		return
	}
	if err := record.Update(t.slot, change); err != nil {
		kmsg.Notice(component, "%v", err)
	}
}

package main

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/init/kmsg"
)

const (
	// mostEnds is how often machined may end before the version on trial is given up.
	mostEnds = 3
	// trialSlack is added to the trial's deadline: machined gives up at that, and knows more.
	trialSlack = time.Minute
	// trialDefault is the deadline if the slot's record cannot be read.
	trialDefault = 10 * time.Minute
	// noteWithin is how long it may take to write down why.
	noteWithin = 15 * time.Second
)

// trial gives up a version that is on trial when machined cannot: the machine restarts, and the boot loader takes the
// other slot.
type trial struct {
	slot     string        // device; empty: this is no trial
	deadline time.Duration // since the kernel's start
	requests chan<- request

	mu        sync.Mutex
	ends      int // of machined
	settled   bool
	confirmed chan struct{} // closed when there is nothing more to watch
}

// newTrial starts to watch a version that is on trial; an ordinary boot is none.
func newTrial(boot handover.Boot, requests chan<- request) *trial {
	t := &trial{deadline: trialDefault + trialSlack, requests: requests, confirmed: make(chan struct{})}
	if !boot.Trial {
		return t
	}
	t.slot = boot.SlotDevice
	err := record.Update(t.slot, func(r *record.Record) {
		r.Phase = record.Init
		if r.Deadline > 0 {
			t.deadline = time.Duration(r.Deadline)*time.Second + trialSlack
		}
	})
	if err != nil {
		kmsg.Notice(component, "%v", err)
	}
	kmsg.Notice(component, "version %s is on trial: it is confirmed within %v, or the other slot is booted", boot.Version, t.deadline)
	return t
}

// run gives up when the deadline is over.
func (t *trial) run() {
	if t.slot == "" {
		return
	}
	select {
	case <-t.confirmed:
	case <-time.After(t.deadline - sinceKernel()):
		t.giveUp(fmt.Sprintf("it was not confirmed within %v, and machined did not give up", t.deadline))
	}
}

// sinceKernel is the time since the kernel's start.
func sinceKernel() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// ended notes that machined has ended.
func (t *trial) ended(why string) {
	t.mu.Lock()
	t.ends++
	over := t.ends >= mostEnds
	t.mu.Unlock()
	if over {
		t.giveUp(fmt.Sprintf("machined ended %d times; it %s", mostEnds, why))
	}
}

// confirm notes that machined says that the version is good.
func (t *trial) confirm() { t.settle() }

// settle ends the trial. It returns false when it had ended.
func (t *trial) settle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slot == "" || t.settled {
		return false
	}
	t.settled = true
	close(t.confirmed)
	return true
}

// giveUp restarts the machine, unless the version turns out to be confirmed: machined may have ended before it came to
// say so. A disk that does not answer does not keep it from doing that.
func (t *trial) giveUp(reason string) {
	if !t.settle() {
		return
	}
	noted := make(chan bool, 1)
	guard("the record of the slot", func() { noted <- t.note(reason) })
	select {
	case confirmed := <-noted:
		if confirmed {
			kmsg.Notice(component, "the version on trial was confirmed, though %s", reason)
			return
		}
	case <-time.After(noteWithin):
		kmsg.Error(component, "the record of slot %s cannot be written: its disk does not answer", t.slot)
	}
	kmsg.Error(component, "the trial is given up: %s", reason)
	ask(t.requests, request{restart, "the version on trial is given up: " + reason})
}

// note writes down why the trial is given up, unless that was done, and reports whether the version is confirmed.
func (t *trial) note(reason string) (confirmed bool) {
	err := record.Update(t.slot, func(r *record.Record) {
		if confirmed = r.Phase == record.Confirmed; !confirmed && r.Reason == "" {
			r.Reason = reason
		}
	})
	if err != nil {
		kmsg.Error(component, "%v", err)
	}
	return confirmed
}

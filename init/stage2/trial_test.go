package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/handover"
)

// slotWithRecord is a slot's partition.
func slotWithRecord(t *testing.T, r record.Record) (path string, read func() record.Record) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "slot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(slot.RecordSize); err != nil {
		t.Fatal(err)
	}
	if err := record.Write(f, slot.RecordSize, r); err != nil {
		t.Fatal(err)
	}
	return path, func() record.Record {
		r, err := record.Read(f, slot.RecordSize)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestTrialIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		record record.Record
		do     func(*trial)
		reason string // in the record, of the restart; empty: there is none
	}{
		{"machined ends thrice", record.Record{Deadline: 600}, func(t *trial) {
			for range mostEnds {
				t.ended("exited with code 3: no disk")
			}
		}, "machined ended 3 times; it exited with code 3: no disk"},
		{"machined ends twice", record.Record{Deadline: 600}, func(t *trial) { t.ended("exited"); t.ended("exited") }, ""},
		{"confirmed, and then machined ends", record.Record{Deadline: 600}, func(t *trial) {
			t.confirm()
			for range 9 {
				t.ended("exited")
			}
		}, ""},
		{"the deadline is over", record.Record{Deadline: 600}, func(t *trial) { t.deadline = 0; t.run() }, "it was not confirmed within 0s"},
		{"machined gave a reason", record.Record{Deadline: 600, Reason: "kube is not healthy"}, func(t *trial) { t.deadline = 0; t.run() }, "kube is not healthy"},
		{"confirmed, and machined did not come to say so", record.Record{Deadline: 600}, func(t *trial) {
			record.Update(t.slot, func(r *record.Record) { r.Phase = record.Confirmed })
			t.deadline = 0
			t.run()
		}, ""},
	} {
		path, read := slotWithRecord(t, c.record)
		requests := make(chan request, 1)
		trial := newTrial(handover.Boot{Trial: true, SlotDevice: path}, requests)
		if trial.deadline != 11*time.Minute || read().Phase != record.Init {
			t.Errorf("%s: deadline %v, phase %s", c.name, trial.deadline, read().Phase)
		}
		c.do(trial)
		asked := len(requests) > 0
		if got := read().Reason; asked != (c.reason != "") || !strings.HasPrefix(got, c.reason) || c.reason == "" && got != "" {
			t.Errorf("%s: asked for a restart %v, reason %q; want %q", c.name, asked, got, c.reason)
		}
	}
}

// A version whose record cannot be written is given up all the same.
func TestTrialWithoutRecord(t *testing.T) {
	requests := make(chan request, 1)
	trial := newTrial(handover.Boot{Trial: true, SlotDevice: "/does/not/exist"}, requests)
	if trial.deadline != trialDefault+trialSlack {
		t.Errorf("deadline %v, want %v", trial.deadline, trialDefault+trialSlack)
	}
	for range mostEnds {
		trial.ended("exited")
	}
	if len(requests) == 0 {
		t.Error("no restart")
	}
}

// An ordinary boot writes nothing and is not restarted.
func TestNoTrial(t *testing.T) {
	requests := make(chan request, 1)
	trial := newTrial(handover.Boot{SlotDevice: "/does/not/exist"}, requests)
	trial.run()
	for range 9 {
		trial.ended("exited")
	}
	trial.confirm()
	if len(requests) > 0 {
		t.Errorf("asked for %v", <-requests)
	}
}

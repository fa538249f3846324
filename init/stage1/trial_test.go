package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
)

func TestTrialIsNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(slot.RecordSize); err != nil {
		t.Fatal(err)
	}
	if err := record.Write(f, slot.RecordSize, record.Record{Version: "1.2.3", Phase: record.Armed}); err != nil {
		t.Fatal(err)
	}
	var trial onTrial
	for _, c := range []struct {
		name   string
		do     func()
		phase  record.Phase
		reason string
	}{
		{"before the slot is found", func() { trial.refused(errors.New("no disk")) }, record.Armed, ""},
		{"the slot is found", func() { trial.begin(path) }, record.Kernel, ""},
		{"the root is open", func() { trial.reach(record.Root) }, record.Root, ""},
		{"it is refused", func() {
			trial.refused(fmt.Errorf("the root in slot %s: %w", "b", advise(errors.New("damaged\n(a second line)"), "Advice.")))
		}, record.Root, "the root in slot b: damaged"},
	} {
		c.do()
		r, err := record.Read(f, slot.RecordSize)
		if err != nil || r.Phase != c.phase || r.Reason != c.reason || r.Version != "1.2.3" {
			t.Errorf("%s: %+v, %v; want phase %s, reason %q", c.name, r, err, c.phase, c.reason)
		}
	}
}

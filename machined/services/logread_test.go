package services

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

func TestSupervisorRestartsWhenAsked(t *testing.T) {
	h := &fakeHost{obey: []syscall.Signal{syscall.SIGTERM}}
	supervised(t, h, func(s *Supervisor, _ func()) {
		if err := s.Restart(); err == nil {
			t.Error("what does not run was restarted")
		}
		s.Want(control.Settings{NodeName: "a"})
		synctest.Wait()
		if err := s.Restart(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		h.want(t, "0s start 1", "0s terminated 1", "0s start 2")
		if m, _ := s.Store.Get(); m.Kube.Restarts != 0 || len(m.Conditions) != 0 {
			t.Errorf("it counts as a failure: %+v", m)
		}
	})
}

func TestLogReader(t *testing.T) {
	log := Log{Path: filepath.Join(t.TempDir(), "log")}
	r := log.Reader()
	defer r.Close()
	next := func() string {
		t.Helper()
		var b bytes.Buffer
		if err := r.Next(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := next(); got != "" {
		t.Errorf("%q without a log", got)
	}
	write := func(text string) {
		f, err := log.OpenForWriting()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString(text)
	}
	write("one\n")
	if got := next(); got != "one\n" {
		t.Errorf("%q", got)
	}
	if got := next(); got != "" {
		t.Errorf("%q again", got)
	}
	write("two\n")
	if got := next(); got != "two\n" {
		t.Errorf("%q", got)
	}
	write(strings.Repeat("x", 2*logKeep))
	if got := next(); !strings.Contains(got[:100], "bytes of log were skipped") || len(got) > logKeep+100 {
		t.Errorf("%d bytes: %.60q", len(got), got)
	}
}

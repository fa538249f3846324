package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

// fakeProcess ends when it gets one of the signals it obeys, or when told to.
type fakeProcess struct {
	pid  int
	host *fakeHost
	obey []syscall.Signal
	done chan struct{}
}

func (p *fakeProcess) PID() int              { return p.pid }
func (p *fakeProcess) Done() <-chan struct{} { return p.done }
func (p *fakeProcess) Reason() string        { return fmt.Sprintf("reason of %d", p.pid) }
func (p *fakeProcess) Signal(s syscall.Signal) error {
	p.host.event("%s %d", s, p.pid)
	if slices.Contains(p.obey, s) {
		close(p.done)
	}
	return nil
}

type fakeHost struct {
	mu      sync.Mutex
	began   time.Time
	events  []string
	next    int
	obey    []syscall.Signal
	fail    error
	procs   []*fakeProcess
	adopted bool // one runs already
	ahead   bool // one can be started ahead
}

func (h *fakeHost) event(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, fmt.Sprintf("%s ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

func (h *fakeHost) process() *fakeProcess {
	h.next++
	p := &fakeProcess{pid: h.next, host: h, obey: h.obey, done: make(chan struct{})}
	h.procs = append(h.procs, p)
	return p
}

func (h *fakeHost) start() (process, error) {
	if h.fail != nil {
		h.event("start fails")
		return nil, h.fail
	}
	p := h.process()
	h.event("start %d", p.pid)
	return p, nil
}

func (h *fakeHost) startAhead() (process, func(), error) {
	if !h.ahead {
		return nil, nil, errors.New("not in this test")
	}
	p := h.process()
	h.event("start %d ahead", p.pid)
	return p, func() { h.event("go ahead %d", p.pid) }, nil
}

// supervised runs a test against a supervisor with fake processes, in fake time.
func supervised(t *testing.T, h *fakeHost, test func(s *Supervisor, cancel func())) {
	path := filepath.Join(t.TempDir(), "settings.json")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h.began = time.Now()
		s := NewSupervisor(Program{}, path, state.NewStore(state.Machine{}), slog.New(slog.DiscardHandler), func() {})
		s.start = h.start
		s.startAhead = h.startAhead
		s.adopt = func() process {
			if !h.adopted {
				return nil
			}
			return h.process()
		}
		go s.Run(ctx)
		test(s, cancel)
		cancel()
		<-s.stopped
	})
}

func (h *fakeHost) want(t *testing.T, events ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.events, events) {
		t.Errorf("events:\n  %s\nwant:\n  %s", strings.Join(h.events, "\n  "), strings.Join(events, "\n  "))
	}
}

func TestSupervisorRestartsWithGrowingPauses(t *testing.T) {
	h := &fakeHost{}
	supervised(t, h, func(s *Supervisor, _ func()) {
		s.Want(control.Settings{NodeName: "a"})
		for range 3 {
			synctest.Wait()
			close(h.procs[len(h.procs)-1].done)
			time.Sleep(5 * time.Second)
		}
		h.want(t, "0s start 1", "1s start 2", "7s start 3", "14s start 4")
		m, _ := s.Store.Get()
		if m.Kube.Restarts != 3 || m.Kube.LastExit != "reason of 3" || m.Kube.Phase != state.Starting || m.Kube.PID != 4 {
			t.Errorf("%+v", m.Kube)
		}
		if len(m.Conditions) != 1 || !strings.Contains(m.Conditions[0].Message, "reason of 3") {
			t.Errorf("%+v", m.Conditions)
		}
	})
}

func TestSupervisorRestartsForNewSettings(t *testing.T) {
	h := &fakeHost{obey: []syscall.Signal{syscall.SIGTERM}}
	supervised(t, h, func(s *Supervisor, _ func()) {
		s.Want(control.Settings{NodeName: "a"})
		synctest.Wait()
		s.Want(control.Settings{NodeName: "a"})
		time.Sleep(time.Second)
		h.want(t, "0s start 1")
		s.Want(control.Settings{NodeName: "b"})
		h.want(t, "0s start 1", "1s terminated 1", "1s start 2")
		if text, _ := os.ReadFile(s.settingsPath); !strings.Contains(string(text), `"nodeName": "b"`) {
			t.Errorf("settings: %s", text)
		}
	})
}

func TestSupervisorAdopts(t *testing.T) {
	h := &fakeHost{obey: []syscall.Signal{syscall.SIGTERM}, adopted: true}
	supervised(t, h, func(s *Supervisor, _ func()) {
		h.want(t)
		s.Want(control.Settings{NodeName: "a"}) // the one that runs has none that we know
		h.want(t, "0s terminated 1", "0s start 2")
	})
	h = &fakeHost{obey: []syscall.Signal{syscall.SIGTERM}, adopted: true}
	supervised(t, h, func(s *Supervisor, cancel func()) {
		os.WriteFile(s.settingsPath, []byte("{}"), 0o600)
		cancel()
		h.want(t) // machined ends, kube does not
	})
}

func TestSupervisorShutdown(t *testing.T) {
	for name, tc := range map[string]struct {
		obey []syscall.Signal
		want []string
	}{
		"in order":   {[]syscall.Signal{syscall.SIGPWR}, []string{"0s start 1", "0s power failure 1"}},
		"too slow":   {[]syscall.Signal{syscall.SIGTERM}, []string{"0s start 1", "0s power failure 1", "48s terminated 1"}},
		"not at all": {[]syscall.Signal{syscall.SIGKILL}, []string{"0s start 1", "0s power failure 1", "48s terminated 1", "53s killed 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &fakeHost{obey: tc.obey}
			supervised(t, h, func(s *Supervisor, _ func()) {
				s.Want(control.Settings{})
				synctest.Wait()
				s.Shutdown()
				h.want(t, tc.want...)
				if m, _ := s.Store.Get(); m.Kube.Phase != state.Off {
					t.Errorf("phase %s", m.Kube.Phase)
				}
			})
		})
	}
}

func TestSupervisorShutdownWhileItWaits(t *testing.T) {
	h := &fakeHost{fail: errors.New("no such file")}
	supervised(t, h, func(s *Supervisor, _ func()) {
		s.Want(control.Settings{})
		time.Sleep(1500 * time.Millisecond)
		if m, _ := s.Store.Get(); len(m.Conditions) != 1 || m.Conditions[0].ID != conditionStart {
			t.Errorf("%+v", m.Conditions)
		}
		s.Shutdown()
		h.want(t, "0s start fails", "1s start fails")
	})
}

func TestSupervisorBeatsWhileItWaits(t *testing.T) {
	h := &fakeHost{}
	supervised(t, h, func(s *Supervisor, _ func()) {
		time.Sleep(time.Minute)
		h.want(t)
	})
	beats := 0
	h = &fakeHost{obey: nil}
	path := filepath.Join(t.TempDir(), "settings.json")
	synctest.Test(t, func(t *testing.T) {
		s := NewSupervisor(Program{}, path, state.NewStore(state.Machine{}), slog.New(slog.DiscardHandler), func() { beats++ })
		s.start, s.adopt = h.start, func() process { return nil }
		h.began = time.Now()
		go s.Run(t.Context())
		s.Want(control.Settings{})
		synctest.Wait()
		s.Shutdown() // the process ignores every signal: 58 s
	})
	if beats < 20 {
		t.Errorf("%d beats while a stubborn process was stopped", beats)
	}
}

func TestSupervisorStartsAhead(t *testing.T) {
	h := &fakeHost{ahead: true, obey: []syscall.Signal{syscall.SIGTERM}}
	supervised(t, h, func(s *Supervisor, _ func()) {
		h.want(t, "0s start 1 ahead")
		if m, _ := s.Store.Get(); m.Kube.PID != 0 {
			t.Errorf("kube runs before it is wanted: %+v", m.Kube)
		}
		time.Sleep(3 * time.Second)
		s.Want(control.Settings{NodeName: "a"})
		h.want(t, "0s start 1 ahead", "3s go ahead 1")
		if text, _ := os.ReadFile(s.settingsPath); !strings.Contains(string(text), `"nodeName": "a"`) {
			t.Errorf("settings: %s", text)
		}
		s.Want(control.Settings{NodeName: "b"}) // no other is ready by then
		h.want(t, "0s start 1 ahead", "3s go ahead 1", "3s terminated 1", "3s start 2")
	})
}

func TestSupervisorStartedAheadInVain(t *testing.T) {
	h := &fakeHost{ahead: true, obey: []syscall.Signal{syscall.SIGKILL}}
	supervised(t, h, func(s *Supervisor, _ func()) {
		synctest.Wait()
		s.Dismiss()
		s.Dismiss()
		h.want(t, "0s start 1 ahead", "0s killed 1", "0s go ahead 1")
		s.Want(control.Settings{NodeName: "a"})
		h.want(t, "0s start 1 ahead", "0s killed 1", "0s go ahead 1", "0s start 2")
	})

	h = &fakeHost{ahead: true}
	supervised(t, h, func(s *Supervisor, _ func()) {
		synctest.Wait()
		close(h.procs[0].done) // it crashed while it waited
		s.Want(control.Settings{NodeName: "a"})
		h.want(t, "0s start 1 ahead", "0s go ahead 1", "0s start 2")
	})

	h = &fakeHost{ahead: true}
	supervised(t, h, func(_ *Supervisor, cancel func()) { // machined ends
		synctest.Wait()
		cancel()
		h.want(t, "0s start 1 ahead", "0s killed 1", "0s go ahead 1")
	})

	h = &fakeHost{ahead: true, adopted: true}
	supervised(t, h, func(*Supervisor, func()) { h.want(t) })
}

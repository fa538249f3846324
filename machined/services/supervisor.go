package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/state"
)

const (
	conditionExit  = "kube.exit"
	conditionStart = "kube.start"

	// loopHeartbeat is how often the loop says that it turns.
	loopHeartbeat = 2 * time.Second
)

// process is a running kube; [Process] but for tests.
type process interface {
	PID() int
	Done() <-chan struct{}
	Signal(syscall.Signal) error
	Reason() string
}

// Supervisor keeps kube running with the settings that are wanted.
type Supervisor struct {
	Store *state.Store
	Log   *slog.Logger
	Beat  func() // called while the loop turns

	Started func() // called when kube runs; may be nil

	settingsPath string
	start        func() (process, error)
	startAhead   func() (process, func(), error)
	adopt        func() process // nil process: none runs

	mu      sync.Mutex
	wanted  []byte // JSON of control.Settings; nil: do not run
	ahead   ahead
	changed chan struct{}
	again   chan struct{} // a signal to restart kube as it is

	stopping chan struct{} // closed to shut down
	stopped  chan struct{} // closed when Run has returned
	stopOnce sync.Once
}

// NewSupervisor returns a supervisor for program.
func NewSupervisor(program Program, settingsPath string, store *state.Store, log *slog.Logger, beat func()) *Supervisor {
	return &Supervisor{
		Store: store, Log: log, Beat: beat, settingsPath: settingsPath,
		start: func() (process, error) { return orNil(program.Start()) },
		startAhead: func() (process, func(), error) {
			p, goAhead, err := program.StartAhead()
			proc, err := orNil(p, err)
			return proc, goAhead, err
		},
		adopt: func() process {
			p, err := program.Adopt()
			if err != nil {
				log.Error("write down the PID of the kube that runs", "error", err)
			}
			found, _ := orNil(p, nil)
			return found
		},
		changed: make(chan struct{}, 1), again: make(chan struct{}, 1), stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// orNil keeps a nil *Process from becoming a process that is not nil.
func orNil(p *Process, err error) (process, error) {
	if p == nil {
		return nil, err
	}
	return p, err
}

// Want makes kube run with s, restarting it when it runs with others.
func (s *Supervisor) Want(settings control.Settings) error {
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return fmt.Errorf("settings of kube: %w", err)
	}
	text = append(text, '\n')
	s.mu.Lock()
	same := bytes.Equal(s.wanted, text)
	s.wanted = text
	s.mu.Unlock()
	if same {
		return nil
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

func (s *Supervisor) want() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted
}

// Run supervises until ctx ends, which leaves kube running, or [Supervisor.Shutdown] is called, which does not.
func (s *Supervisor) Run(ctx context.Context) {
	defer close(s.stopped)
	var pauses backoff
	proc := s.adopted()
	if proc == nil {
		s.prepare()
		defer s.Dismiss()
	}
	for {
		if proc == nil {
			if proc = s.launch(ctx, &pauses); proc == nil {
				return
			}
		}
		began := time.Now()
		switch s.watch(ctx, proc) {
		case left:
			return
		case restart:
			s.Log.Warn("kube is restarted")
			s.stop(proc, toRestart)
		case shutdown:
			s.phase(state.Stopping)
			s.stop(proc, toShutDown)
			s.phase(state.Off)
			return
		case exited:
			if !s.pauseAfter(ctx, proc.Reason(), pauses.pause(time.Since(began))) {
				return
			}
		}
		proc = nil
	}
}

// adopted is the kube of a machined before this one.
func (s *Supervisor) adopted() process {
	proc := s.adopt()
	if proc == nil {
		return nil
	}
	s.Log.Warn("kube runs already and is adopted", "pid", proc.PID())
	s.running(proc)
	return proc
}

// launch starts kube once settings are wanted, and again when that fails. Nil: it is not to run any more.
func (s *Supervisor) launch(ctx context.Context, pauses *backoff) process {
	for !s.over(ctx) {
		select {
		case <-s.changed: // it is about what is read next
		default:
		}
		settings := s.want()
		if settings == nil {
			if !s.wait(ctx, nil) {
				return nil
			}
			continue
		}
		proc, err := s.launchWith(settings)
		if err == nil {
			s.Store.Clear(conditionStart)
			s.running(proc)
			return proc
		}
		s.Log.Info("Kubernetes cannot be started", "error", err)
		s.Store.Set(state.Condition{ID: conditionStart, Severity: state.Error, Message: "Kubernetes cannot be started: " + err.Error(), Hint: "it is tried again; restart the machine if this stays"})
		timer := time.NewTimer(pauses.pause(0))
		again := s.wait(ctx, timer.C)
		timer.Stop()
		if !again {
			return nil
		}
	}
	return nil
}

// over is whether kube is not to run any more.
func (s *Supervisor) over(ctx context.Context) bool {
	select {
	case <-s.stopping:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

func (s *Supervisor) launchWith(settings []byte) (process, error) {
	if err := atomicfile.Write(s.settingsPath, settings, 0o600); err != nil {
		return nil, err
	}
	if proc := s.release(); proc != nil {
		return proc, nil
	}
	return s.start()
}

func (s *Supervisor) running(proc process) {
	s.Store.Update(func(m *state.Machine) {
		m.Kube.Phase, m.Kube.PID, m.Kube.Status = state.Starting, proc.PID(), nil
	})
	if s.Started != nil {
		s.Started()
	}
}

// outcome of watching a process.
type outcome int

const (
	exited   outcome = iota // it ended by itself
	restart                 // it must be restarted: other settings are wanted, or somebody asked
	shutdown                // the machine goes down
	left                    // machined ends, kube goes on
)

// watch waits until something has to be done about a running kube.
func (s *Supervisor) watch(ctx context.Context, proc process) outcome {
	tick := time.NewTicker(loopHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-proc.Done():
			return exited
		case <-s.stopping:
			return shutdown
		case <-ctx.Done():
			return left
		case <-s.changed:
			running, err := os.ReadFile(s.settingsPath)
			if wanted := s.want(); wanted != nil && (err != nil || !bytes.Equal(running, wanted)) {
				return restart
			}
		case <-s.again:
			return restart
		case <-tick.C:
			s.Beat()
		}
	}
}

// Restart starts kube again as it is; pods keep running.
func (s *Supervisor) Restart() error {
	if m, _ := s.Store.Get(); m.Kube.PID == 0 || s.want() == nil {
		return errors.New("Kubernetes does not run, so it cannot be restarted; the status says what it waits for")
	}
	select {
	case s.again <- struct{}{}:
	default: // asked already
	}
	return nil
}

// wait returns true when settings changed or, with a timer, it fired; false when kube is not to run any more.
func (s *Supervisor) wait(ctx context.Context, timer <-chan time.Time) bool {
	tick := time.NewTicker(loopHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-s.changed:
			return true
		case <-timer:
			return true
		case <-s.stopping:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
			s.Beat()
		}
	}
}

// pauseAfter tells why kube ended and waits before the next start. False: there is no next.
func (s *Supervisor) pauseAfter(ctx context.Context, reason string, pause time.Duration) bool {
	s.Log.Info("Kubernetes ended", "reason", reason, "restartIn", pause)
	s.Store.Update(func(m *state.Machine) {
		m.Kube.Phase, m.Kube.PID, m.Kube.Status, m.Kube.LastExit = state.Waiting, 0, nil, reason
		m.Kube.Restarts++
	})
	s.Store.Set(state.Condition{ID: conditionExit, Severity: state.Error, Message: "Kubernetes ended: " + reason, Hint: "it is started again by itself; its log says more (coraclectl logs kube)"})
	timer := time.NewTimer(pause)
	defer timer.Stop()
	return s.wait(ctx, timer.C)
}

func (s *Supervisor) phase(p state.Phase) {
	s.Store.Update(func(m *state.Machine) { m.Kube.Phase = p })
}

// Shutdown stops all pods, then kube, and returns when Run has.
func (s *Supervisor) Shutdown() {
	s.stopOnce.Do(func() { close(s.stopping) })
	<-s.stopped
}

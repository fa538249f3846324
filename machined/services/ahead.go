package services

import "syscall"

// ahead is a kube that was started before it is known with what settings. The first seconds of a start are kube's program being
// read, verified and unpacked, and its packages initializing themselves; meanwhile disk and network are prepared.
type ahead struct {
	proc    process // nil: there is none
	goAhead func()
}

// prepare starts kube ahead. When that fails, it is started when it is wanted.
func (s *Supervisor) prepare() {
	proc, goAhead, err := s.startAhead()
	if err != nil {
		s.Log.Info("kube cannot be started ahead", "error", err)
		return
	}
	s.mu.Lock()
	s.ahead = ahead{proc, goAhead}
	s.mu.Unlock()
}

// release lets the kube that was started ahead go on, with the settings that are written down by now. Nil: there is none.
func (s *Supervisor) release() process {
	a := s.takeAhead()
	if a.proc == nil {
		return nil
	}
	a.goAhead()
	select {
	case <-a.proc.Done():
		s.Log.Info("kube, started ahead, ended", "reason", a.proc.Reason())
		return nil
	default:
		return a.proc
	}
}

// Dismiss ends a kube that was started ahead and is not wanted now; more often does no harm.
func (s *Supervisor) Dismiss() {
	if a := s.takeAhead(); a.proc != nil {
		if err := a.proc.Signal(syscall.SIGKILL); err != nil {
			s.Log.Error("kube cannot be stopped", "error", err)
		}
		a.goAhead()
	}
}

func (s *Supervisor) takeAhead() ahead {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ahead
	s.ahead = ahead{}
	return a
}

package services

import (
	"syscall"
	"time"
)

// stopStep is a signal, and how long kube may take to end before the next one.
type stopStep struct {
	signal   syscall.Signal
	deadline time.Duration
}

// How kube is stopped. init gives machined 60 s from SIGTERM until everything is killed.
var (
	toRestart  = []stopStep{{syscall.SIGTERM, 30 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}
	toShutDown = []stopStep{ // SIGPWR stops the pods first
		{syscall.SIGPWR, (shutdownSeconds + 8) * time.Second},
		{syscall.SIGTERM, 5 * time.Second},
		{syscall.SIGKILL, 5 * time.Second},
	}
)

// stop ends a process, by the first step that does.
func (s *Supervisor) stop(proc process, steps []stopStep) {
	for i, step := range steps {
		if i > 0 {
			s.Log.Error("kube did not stop in time", "next", step.signal.String())
		}
		if err := proc.Signal(step.signal); err != nil {
			s.Log.Error("kube cannot be stopped", "error", err)
		}
		if s.ends(proc, step.deadline) {
			return
		}
	}
	s.Log.Error("kube does not end, even when killed", "pid", proc.PID())
}

// ends is whether a process ends within a time.
func (s *Supervisor) ends(proc process, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	tick := time.NewTicker(loopHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-proc.Done():
			return true
		case <-timer.C:
			return false
		case <-tick.C:
			s.Beat()
		}
	}
}

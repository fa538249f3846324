package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper is the only one in this process that waits for children: those that init started, whose end somebody wants to
// know, and all that were left to PID 1 when their parent died.
//
// Nothing here may use os/exec or os.StartProcess, which wait for themselves.
type reaper struct {
	mu   sync.Mutex // Held while a child is started too, so that its end is not seen before its number is known.
	ends map[int]chan<- unix.WaitStatus
	wake chan os.Signal
}

func newReaper() *reaper {
	r := &reaper{ends: make(map[int]chan<- unix.WaitStatus), wake: make(chan os.Signal, 1)}
	signal.Notify(r.wake, unix.SIGCHLD)
	return r
}

// run reaps for ever.
func (r *reaper) run() {
	for {
		for r.reap() {
		}
		<-r.wake
	}
}

// reap reaps one child that has ended and reports whether there was one.
func (r *reaper) reap() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	if err == unix.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if end := r.ends[pid]; end != nil {
		delete(r.ends, pid)
		end <- status
	}
	return true
}

// start starts a program. Its status comes through the channel when it has ended.
func (r *reaper) start(path string, args []string, attr *syscall.ProcAttr) (pid int, ended <-chan unix.WaitStatus, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err = syscall.ForkExec(path, args, attr)
	if err != nil {
		return 0, nil, err
	}
	end := make(chan unix.WaitStatus, 1)
	r.ends[pid] = end
	return pid, end, nil
}

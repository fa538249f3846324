package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
)

const (
	machinedPath = "/usr/bin/machined"
	machinedOOM  = "-999"
	// clearWithin is how long what the last machined left may take to die: what waits for a disk does not die before
	// the disk answers.
	clearWithin = 10 * time.Second
)

// environment is all of machined's.
var environment = []string{"PATH=/usr/sbin:/usr/bin", "HOME=/"}

// supervisor keeps machined running. kube and the pods do not notice when it is started again.
type supervisor struct {
	children *reaper
	health   *health
	watchdog func(seconds int) // sets its timeout
	requests chan<- request
	trial    *trial

	stop    chan struct{} // closed: end machined and do not start it again
	stopped chan struct{} // closed: that is done
	once    sync.Once
}

func newSupervisor(children *reaper, health *health, watchdog func(seconds int), requests chan<- request, trial *trial) *supervisor {
	return &supervisor{
		children: children, health: health, watchdog: watchdog, requests: requests, trial: trial,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// run starts machined again and again, until it is asked to stop.
func (s *supervisor) run() {
	var pause backoff
	for {
		began := time.Now()
		why, stopping := s.runOnce()
		if stopping {
			s.once.Do(func() { close(s.stopped) })
			return
		}
		s.trial.ended(why)
		wait := pause.next(time.Since(began))
		kmsg.Error(component, "machined %s; it is started again in %v. Pods keep running", why, wait)
		select {
		case <-s.stop:
			s.once.Do(func() { close(s.stopped) })
			return
		case <-time.After(wait):
		}
	}
}

// end asks machined to stop the pods and itself, and waits for that.
func (s *supervisor) end() {
	close(s.stop)
	<-s.stopped
}

// runOnce starts machined and waits for its end, and returns how it ended.
func (s *supervisor) runOnce() (why string, stopping bool) {
	// What the last machined left running, such as a check of a file system, must not meet the next one's. kube and
	// the pods are in other cgroups.
	if err := errors.Join(killCgroup(cgroupMachined), awaitEmpty(clearWithin, cgroupMachined)); err != nil {
		kmsg.Error(component, "clear machined's cgroup: %v", err)
	}
	select {
	case <-s.stop:
		return "", true
	default:
	}
	m, err := s.start()
	if err != nil {
		return fmt.Sprintf("could not be started: %v", err), false
	}
	defer m.line.Close()
	s.health.started()
	guard("control line", func() { s.listen(m.line) })
	select {
	case status := <-m.ended:
		return ending(status, m.output.cause()), false
	case <-s.stop:
	}
	if err := unix.Kill(m.pid, unix.SIGTERM); err != nil {
		kmsg.Error(component, "ask machined to stop: %v", err)
	}
	began := time.Now()
	progress := time.NewTicker(progressEvery)
	defer progress.Stop()
	for {
		select {
		case status := <-m.ended:
			kmsg.Info(component, "machined %s", ending(status, ""))
			return "", true
		case <-progress.C:
			waited := time.Since(began).Round(time.Second)
			if waited >= machinedDeadline {
				progress.Stop() // The shutdown has gone on.
				continue
			}
			kmsg.Notice(component, "waiting for machined to stop the pods, %v of at most %v", waited, machinedDeadline)
		}
	}
}

// instance is a running machined.
type instance struct {
	pid    int
	ended  <-chan unix.WaitStatus
	line   *os.File // our end of the control line
	output *output
}

func (s *supervisor) start() (*instance, error) {
	line, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the control line: %w", err)
	}
	defer unix.Close(line[1])
	unix.SetNonblock(line[0], true) // So that waiting for it needs no thread.
	ours := os.NewFile(uintptr(line[0]), "control line")
	m, err := s.fork(ours, line[1])
	if err != nil {
		ours.Close()
	}
	return m, err
}

func (s *supervisor) fork(ours *os.File, theirs int) (*instance, error) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/null: %w", err)
	}
	defer unix.Close(null)
	out, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	attr := &syscall.ProcAttr{Dir: "/", Env: environment, Sys: &syscall.SysProcAttr{Setsid: true}}
	cgroup, err := unix.Open(filepath.Join(cgroupRoot, cgroupMachined), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(cgroup)
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, cgroup
	} else {
		kmsg.Error(component, "machined starts outside its cgroup: %v", err)
	}
	stdout := write.Fd() // The pipe's own end is blocking from here on, which is what a program expects.
	attr.Files = []uintptr{uintptr(null), stdout, stdout, control.FD: uintptr(theirs)}
	pid, ended, err := s.children.start(machinedPath, []string{machinedPath}, attr)
	if err != nil {
		out.Close()
		return nil, err
	}
	kmsg.Info(component, "machined started as process %d", pid)
	if err := writeFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), machinedOOM); err != nil {
		kmsg.Info(component, "%v", err)
	}
	m := &instance{pid: pid, ended: ended, line: ours, output: newOutput("machined")}
	guard("output of machined", func() { m.output.copy(out) })
	return m, nil
}

// listen does what machined says, until its end of the line is closed.
func (s *supervisor) listen(line *os.File) {
	buf := make([]byte, 64)
	for {
		n, err := line.Read(buf)
		if err != nil || n == 0 {
			return
		}
		switch word, argument, _ := strings.Cut(string(buf[:n]), " "); word {
		case control.Healthy:
			s.health.healthy()
		case control.Reboot:
			ask(s.requests, request{restart, "machined asked for it"})
		case control.Poweroff:
			ask(s.requests, request{powerOff, "machined asked for it"})
		case control.Confirmed:
			s.trial.confirm()
		case control.Watchdog:
			seconds, err := strconv.ParseUint(argument, 10, 16)
			if err != nil {
				kmsg.Error(component, "machined wants the watchdog at %q: %v", argument, err)
				continue
			}
			s.watchdog(int(seconds))
		default:
			kmsg.Error(component, "machined said %q, which means nothing", buf[:n])
		}
	}
}

// ending says how a process ended. cause is what it said last, which may be nothing.
func ending(status unix.WaitStatus, cause string) string {
	var how string
	switch {
	case status.Signaled():
		how = fmt.Sprintf("was killed by signal %d (%v)", int(status.Signal()), status.Signal())
	default:
		how = fmt.Sprintf("exited with code %d", status.ExitStatus())
	}
	if cause != "" {
		how += ": " + cause
	}
	return how
}

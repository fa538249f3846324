package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// action is how the machine goes down.
type action int

const (
	restart action = iota
	powerOff
)

func (a action) String() string {
	if a == powerOff {
		return "power off"
	}
	return "restart"
}

// request is that somebody wants the machine down.
type request struct {
	action action
	reason string
}

// ask hands in a request. The first counts: when the machine is going down, the others are dropped.
func ask(requests chan<- request, r request) {
	select {
	case requests <- r:
	default:
	}
}

// meanings are the signals that ask for something, as they are for busybox's init and systemd.
var meanings = map[os.Signal]request{
	unix.SIGINT:  {restart, "Ctrl-Alt-Del was pressed"},
	unix.SIGTERM: {restart, "SIGTERM was received"},
	unix.SIGUSR2: {powerOff, "SIGUSR2 was received"},
	unix.SIGPWR:  {powerOff, "SIGPWR was received"},
}

// meaningless are the signals that ask for nothing and would end or stop a Go program, and the machine with this one: when
// somebody sends them, SIGPIPE when standard output is gone. Go does nothing at the others. What a fault of its own
// raises, such as SIGSEGV at a nil pointer, still is a panic.
var meaningless = []os.Signal{
	unix.SIGHUP, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGPIPE,
	unix.SIGSTKFLT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGSYS,
}

// watchSignals hands in what signals ask for. Those that are meaningless go to a channel that nobody reads: were they
// ignored, they would stay so in all that the machine starts, across exec, down to the shell in a pod.
func watchSignals(requests chan<- request) {
	signal.Notify(make(chan os.Signal, 1), meaningless...)
	c := make(chan os.Signal, 4)
	for s := range meanings {
		signal.Notify(c, s)
	}
	for s := range c {
		ask(requests, meanings[s])
	}
}

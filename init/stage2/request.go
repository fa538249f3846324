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

// watchSignals hands in what signals ask for. All others that can be sent are ignored: the Go runtime would end the
// process at some of them, and with it the machine.
func watchSignals(requests chan<- request) {
	signal.Ignore(unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE, unix.SIGALRM, unix.SIGUSR1, unix.SIGABRT, unix.SIGTRAP,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGIO, unix.SIGSYS)
	c := make(chan os.Signal, 4)
	for s := range meanings {
		signal.Notify(c, s)
	}
	for s := range c {
		ask(requests, meanings[s])
	}
}

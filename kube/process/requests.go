// Package process is what concerns the kube process as a whole, whatever role its machine has: its settings, what signals ask for,
// its memory, and the proxy.
package process

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/coracle-os/coracle/kube/exit"
)

// Request is what the process was asked to do by a signal.
type Request int

// Requests.
const (
	Stop     Request = iota // stop the components, pods keep running
	PowerOff                // stop the pods first: the machine goes down
)

// Requests delivers what signals ask for; docs/architecture.md has the contract.
func Requests() <-chan Request {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGPWR)
	requests := make(chan Request, 1)
	go func() {
		stopping := false
		for s := range signals {
			slog.Info("asked to stop", "signal", s)
			request := Stop
			if s == syscall.SIGPWR {
				request = PowerOff
			}
			switch {
			case !stopping:
				requests <- request
				stopping = true
			case request == Stop:
				exit.With(exit.Asked, "asked again to stop, ended at once")
			}
		}
	}()
	return requests
}

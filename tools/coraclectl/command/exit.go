package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// The exit codes, which the help of coraclectl explains.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitUnreachable
	exitNotAllowed
	exitUnhealthy
	exitOtherKey
)

// codeError is an error with an exit code of its own.
type codeError struct {
	error
	code int
}

func (e codeError) Unwrap() error { return e.error }

// usage makes an error one of usage.
func usage(err error) error { return codeError{err, exitUsage} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// machineError is what went wrong with one machine.
type machineError struct {
	name, address string
	error
}

func (e machineError) Unwrap() error { return e.error }

// machineErrors are those of several machines.
type machineErrors []machineError

func (list machineErrors) Error() string {
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.name + ": " + e.error.Error()
	}
	return strings.Join(lines, "\n")
}

func (list machineErrors) Unwrap() []error {
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	return errs
}

// exitCode of what a command returned. Errors of several machines that have different codes make 1.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if list, ok := errors.AsType[machineErrors](err); ok {
		code := exitCode(list[0].error)
		for _, e := range list[1:] {
			if exitCode(e.error) != code {
				return exitFailed
			}
		}
		return code
	}
	if coded, ok := errors.AsType[codeError](err); ok {
		return coded.code
	}
	if errors.Is(err, client.ErrOtherMachine) {
		return exitOtherKey
	}
	if unreachable(err) {
		return exitUnreachable
	}
	if called, ok := errors.AsType[*connect.Error](err); ok {
		switch called.Code() {
		case connect.CodeUnauthenticated, connect.CodePermissionDenied:
			return exitNotAllowed
		case connect.CodeInvalidArgument:
			return exitUsage
		}
	}
	return exitFailed
}

// unreachable is whether no machine answered, rather than one that said no.
func unreachable(err error) bool {
	called, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return errors.Is(err, context.DeadlineExceeded)
	}
	if connect.IsWireError(err) || errors.Is(err, client.ErrOtherMachine) {
		return false
	}
	return called.Code() == connect.CodeUnavailable || called.Code() == connect.CodeDeadlineExceeded
}

// final is whether a machine would say the same again, rather than that it does not answer or is going down or coming up.
func final(err error) bool {
	switch exitCode(err) {
	case exitNotAllowed, exitOtherKey, exitUsage:
		return true
	}
	return connect.CodeOf(err) == connect.CodeUnimplemented
}

// report tells a person what went wrong and what to do.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	paint := output.PaletteFor(a.Err, a.Getenv)
	show := func(who string, err error, hint string) {
		fmt.Fprintln(a.Err, paint.Bad("coraclectl:")+" "+who+message(err))
		if hint != "" {
			fmt.Fprintln(a.Err, "-> "+hint)
		}
	}
	if list, ok := errors.AsType[machineErrors](err); ok {
		for _, e := range list {
			show(e.name+": ", e.error, a.hint(e))
		}
		return
	}
	if errors.Is(err, context.Canceled) {
		show("", errors.New("interrupted"), "")
		return
	}
	show("", err, "")
}

// message is an error without what the API's library puts around it.
func message(err error) string {
	text := err.Error()
	if called, ok := errors.AsType[*connect.Error](err); ok {
		text = strings.Replace(text, called.Error(), called.Message(), 1)
		if unreachable(err) {
			text = "does not answer: " + text
		}
	} else if errors.Is(err, context.DeadlineExceeded) {
		text = "does not answer in time"
	}
	return strings.TrimSpace(text)
}

// hint is what to do about an error of a machine.
func (a *app) hint(e machineError) string {
	switch exitCode(e.error) {
	case exitUnreachable:
		return "is it on, and is " + e.address + " its address? coraclectl discover shows the machines on this network"
	case exitOtherKey:
		return "if the machine was reset or replaced, compare with the fingerprint on its console, then: coraclectl contexts add " +
			e.name + " " + e.address + " --fingerprint SHA256:…\n   If it was not, something else answers at that address: do not go on."
	case exitNotAllowed:
		key, err := keys.Load(a.keyPath())
		switch called, _ := errors.AsType[*connect.Error](e.error); {
		case called == nil:
		case errors.Is(err, fs.ErrNotExist):
			return "you have no key; make one with: coraclectl init, then have an admin add it to machine.api.keys"
		case called.Code() == connect.CodePermissionDenied:
			return "an admin of the machine can give your key another role in machine.api.keys"
		case err == nil:
			return "an admin of the machine can add your key to machine.api.keys: " + keys.Public(key).String()
		}
	}
	return ""
}

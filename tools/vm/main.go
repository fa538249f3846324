// Command vm boots Coracle images in QEMU.
//
//	vm run   [flags]  flash a disk, boot it, wait until its node is Ready, stay until Ctrl-C
//	vm stop  [flags]  shut the machine down that "run --detach" left running
//	vm screenshot [flags] FILE.png  save what its graphical console shows
//
// It exits with 0 when all went well, 1 when the machine or QEMU failed, 2 when it was used wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

const defaultDir = "_out/run"

// commands are the program's verbs. Each defines its flags, parses args and runs.
var commands = map[string]func(ctx context.Context, args []string) error{
	"run":        run,
	"stop":       stop,
	"screenshot": screenshot,
}

// errUsage is returned after the words about it were printed.
var errUsage = errors.New("wrong use")

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: vm run|stop|screenshot [flags]; vm COMMAND -h lists the flags")
		os.Exit(2)
	}
	// The first Ctrl-C ends the context; run takes the ones after it.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := commands[os.Args[1]](ctx, os.Args[2:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "vm %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// parse reads args into flags, and wants n arguments after them.
func parse(flags *flag.FlagSet, args []string, n int) error {
	err := flags.Parse(args)
	if err == nil && flags.NArg() != n {
		fmt.Fprintf(os.Stderr, "vm %s: %d arguments after the flags, want %d: %q\n", flags.Name(), flags.NArg(), n, flags.Args())
		return errUsage
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage // flag has printed what is wrong
	}
	return err
}

func newFlags(name string) (*flag.FlagSet, *string) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	return flags, flags.String("dir", defaultDir, "the machine's `folder`: disk, logs, kubeconfig")
}

func stop(ctx context.Context, args []string) error {
	flags, dir := newFlags("stop")
	wait := flags.Duration("wait", shutdownWait, "how long the machine may take to shut down before its plug is pulled")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	graceful, err := machine.SwitchOff(ctx, *dir)
	return reportStop(os.Stdout, *dir, graceful, err)
}

// reportStop says how a machine ended. One that did not run is as stopped as was asked for.
func reportStop(out io.Writer, dir string, graceful bool, err error) error {
	switch {
	case errors.Is(err, machine.ErrNotRunning):
		fmt.Fprintf(out, "no machine runs in %s\n", dir)
		return nil
	case err != nil:
		return err
	case !graceful:
		return fmt.Errorf("the machine did not shut down in time; its plug was pulled. See %s", filepath.Join(dir, machine.ConsoleName))
	}
	fmt.Fprintln(out, "the machine shut down")
	return nil
}

func screenshot(ctx context.Context, args []string) error {
	flags, dir := newFlags("screenshot")
	if err := parse(flags, args, 1); err != nil {
		return err
	}
	file, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		return err
	}
	c, err := machine.Attach(ctx, *dir)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Screenshot(ctx, file)
}

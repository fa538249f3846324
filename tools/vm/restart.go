package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// maxRestarts is how often a machine that QEMU broke is switched on again. A fourth boot might be in safe mode.
const maxRestarts = 2

// bootReady switches the device on and waits until its node is Ready. When QEMU breaks the machine before, it begins again on
// the same disk, as after a power cut.
func bootReady(ctx context.Context, o runOptions, dev *device.Device) (m *machine.Machine, err error) {
	err = withRestarts(os.Stdout, filepath.Join(o.dir, machine.ConsoleName), func() (fault, err error) {
		m, err = dev.Boot(ctx, o.spec)
		if err != nil {
			return nil, err
		}
		shown := make(chan struct{})
		go func() {
			showProgress(context.WithoutCancel(ctx), os.Stdout, m.Console)
			close(shown)
		}()
		err = untilReady(ctx, o, dev, m)
		if err == nil {
			return nil, nil
		}
		if ctx.Err() == nil { // not because of Ctrl-C
			if fault = m.EmulatorFault(machine.DumpTime); fault == nil {
				fmt.Fprint(os.Stderr, m.Report())
			}
		}
		m.PullPlug()
		<-shown
		return fault, err
	})
	return m, err
}

// withRestarts calls boot until it succeeds, or fails without a fault of QEMU's, or QEMU broke too many. console is the
// machine's log of this boot.
func withRestarts(out io.Writer, console string, boot func() (fault, err error)) error {
	for n := 0; ; n++ {
		fault, err := boot()
		if fault == nil || err == nil {
			return err
		}
		if n == maxRestarts {
			return fmt.Errorf("in each of %d boots: %w; the last console is in %s", n+1, fault, console)
		}
		fmt.Fprintf(out, "%v\nswitching the machine on again, %d of at most %d times; the console of this boot is kept in %s\n",
			fault, n+1, maxRestarts, console+machine.OldSuffix)
	}
}

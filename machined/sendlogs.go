package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/services"
)

// logRetry is the pause before a log device that failed is opened again: a USB adapter comes late, and may be pulled.
const logRetry = 10 * time.Second

// sendLogs copies the log of kube to the device that the config names. It may be called again.
func (d *daemon) sendLogs(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logging != nil {
		d.logging()
		d.logging = nil
	}
	if path := d.config.Machine.Logs.Device; path != "" {
		ctx, cancel := context.WithCancel(d.ctx)
		d.logging = cancel
		d.loops.Go(func() { d.copyLog(ctx, kubeProgram.Log, path, logRetry) })
	}
	return nil
}

// copyLog copies what is added to log to the device at path, until ctx ends.
func (d *daemon) copyLog(ctx context.Context, log services.Log, path string, pause time.Duration) {
	const part = "machine.logs.device"
	for from := log.Size(); ; {
		device, err := openLogDevice(path)
		if err == nil {
			err = log.Copy(ctx, told{device, func() { d.warn(part, nil) }}, from, true)
			from = log.Size()
			device.Close()
		}
		if ctx.Err() != nil {
			d.warn(part, nil) // whatever was wrong, it is not wanted any more
			return
		}
		d.warn(part, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// told calls written after each write that succeeded.
type told struct {
	io.Writer
	written func()
}

func (w told) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err == nil {
		w.written()
	}
	return n, err
}

// openLogDevice opens a character device to write to. A serial line gets the speed of the kernel's console.
func openLogDevice(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice == 0 {
		err = fmt.Errorf("%s is not a character device", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
		t.Cflag = t.Cflag&^unix.CBAUD | unix.B115200 | unix.CLOCAL
		t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
		unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
	}
	return f, nil
}

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/kmsg"
)

const (
	machinedDeadline = 60 * time.Second
	progressEvery    = 10 * time.Second
	unmountLimit     = 20 * time.Second
	// resetAfter is how long reboot(2) may take; then the kernel is told to reset without a word to any driver.
	resetAfter = 20 * time.Second
)

// step is a part of the shutdown. After its limit the next one begins, whether it is over or not: the
// machine must go down, and what hangs is usually a disk or a server that will not come back.
type step struct {
	name  string
	limit time.Duration
	do    func() error
}

// sequence is the shutdown, in order.
func sequence(machined *supervisor) []step {
	return []step{
		{"stop the pods and machined", machinedDeadline, func() error { machined.end(); return nil }},
		{"stop kube and the pods without machined", 45 * time.Second, stopKube},
		{"end the other processes", 10 * time.Second, endProcesses},
		{"kill the processes that are left", 5 * time.Second, killProcesses},
		{"turn swap off", 10 * time.Second, stopSwapping},
		{"write to the disks", 20 * time.Second, func() error { unix.Sync(); return nil }},
		{"unmount", unmountLimit, unmountAll},
	}
}

// longest is how long a sequence can take.
func longest(steps []step) time.Duration {
	var total time.Duration
	for _, s := range steps {
		total += s.limit
	}
	return total
}

// shutdown brings the machine down. It does not return while reboot(2) works.
func shutdown(r request, machined *supervisor, dog *dog) {
	steps := sequence(machined)
	dog.beginShutdown(longest(steps))
	showKernelLog()
	kmsg.Notice(component, "going to %v: %s", r.action, r.reason)
	for _, s := range steps {
		s.run()
	}
	kmsg.Notice(component, "%v now", r.action)
	leave(r.action, func() { dog.last(r.action) })
}

// leave ends the kernel, after last. From here on nothing waits for a disk: one that is dead must not keep the machine from going down.
func leave(a action, last func()) {
	go func() {
		time.Sleep(resetAfter)
		writeFile("/proc/sysrq-trigger", sysrq(a))
	}()
	last()
	command := unix.LINUX_REBOOT_CMD_RESTART
	if a == powerOff {
		command = unix.LINUX_REBOOT_CMD_POWER_OFF
	}
	kmsg.Error(component, "%v: %v", a, unix.Reboot(command))
	writeFile("/proc/sysrq-trigger", sysrq(a))
}

// sysrq is the letter with which the kernel does it at once.
func sysrq(a action) string {
	if a == powerOff {
		return "o"
	}
	return "b"
}

// run does the step, for at most its limit.
func (s step) run() {
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		err := errors.New("it has a defect")
		survived(s.name, func() { err = s.do() })
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			kmsg.Error(component, "%s: %v", s.name, err)
		}
		kmsg.Info(component, "%s: %v", s.name, time.Since(began).Round(time.Millisecond))
	case <-time.After(s.limit):
		kmsg.Error(component, "%s: not done after %v, going on without", s.name, s.limit)
	}
}

// showKernelLog brings the kernel's messages in front on a screen: tty1 has machined's status, which no longer
// changes. A machine without a screen has no such terminal.
func showKernelLog() {
	const activate, kernelTerminal = 0x5606, 2 // VT_ACTIVATE of linux/vt.h
	fd, err := unix.Open("/dev/tty0", unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	unix.IoctlSetInt(fd, activate, kernelTerminal)
}

// errStubborn is that processes survive SIGKILL: the kernel is waiting for a device on their behalf.
var errStubborn = fmt.Errorf("there are processes that cannot be killed; one of the disks may hang")

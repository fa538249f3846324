package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/kmsg"
)

// component is the name in front of each line of the log.
const component = "init"

const reinstall = "Write the image to the disk again; the data partition can be kept."

// beforeRestart gives a person time to read why, and the other slot or a repaired disk its chance soon.
const beforeRestart = 10 * time.Second

// advised is an error with what a person can do about it.
type advised struct {
	error
	advice string
}

func (a advised) Unwrap() error { return a.error }

func advise(err error, advice string) error {
	if err == nil {
		return nil
	}
	return advised{err, advice}
}

// explanation is the paragraph on the console.
func explanation(err error) string {
	advice := "If this goes on, write down these lines and report them. " + reinstall
	if a, ok := errors.AsType[advised](err); ok {
		advice = a.advice
	}
	return "CANNOT START: " + err.Error() + "\n" + advice + "\nThe machine restarts in " + beforeRestart.String() + "."
}

// refuse says why the machine does not start, and restarts it.
func refuse(err error) {
	kmsg.Error(component, "%s", explanation(err))
	trial.refused(err)
	time.Sleep(beforeRestart)
	dog.starve() // A disk that is dead must not keep the machine from restarting.
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	os.Exit(1) // Makes the kernel panic, which restarts too.
}

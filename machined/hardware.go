package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/coracle-os/coracle/machined/hardware"
	"github.com/coracle-os/coracle/machined/state"
)

const (
	conditionBoard = "board"

	// conditionMemory is one of kube, so that the check of its health fails with it.
	conditionMemory = "kube.memory"
)

// lookAtHardware says what is wrong with the machine for this image.
func (d *daemon) lookAtHardware(context.Context) error {
	boards, boardsErr := hardware.ReadSupported(hardware.SupportedPath)
	if boardsErr == nil {
		d.showBoard(d.board, boards)
	}
	memory, memoryErr := hardware.ReadMemory(os.DirFS("/"))
	if memoryErr == nil {
		d.showMemoryControl(memory)
	}
	return errors.Join(boardsErr, memoryErr)
}

// showBoard says whether this image has been made for board b. It runs all the same: it may well work.
func (d *daemon) showBoard(b hardware.Board, boards []string) {
	d.store.Put(!hardware.Supported(b, boards), state.Condition{
		ID: conditionBoard, Severity: state.Warning,
		Message: "This image has not been made for " + b.Model + "; some of its hardware may not work.",
		Hint:    "write the image that is for this board; this one is for " + strings.Join(boards, ", "),
	})
}

// showMemoryControl says that Kubernetes cannot start because the kernel does not limit memory.
func (d *daemon) showMemoryControl(m hardware.Memory) {
	c := state.Condition{
		ID: conditionMemory, Severity: state.Error,
		Message: "Kubernetes cannot start: the memory of pods cannot be limited, as the kernel was built without the memory controller of cgroups.",
		Hint:    "install another release",
	}
	if m.Disabled {
		c.Message = "Kubernetes cannot start: the memory of pods cannot be limited, as the kernel was started with cgroup_disable=memory."
		c.Hint = "take that out of coracle/custom.cfg on BOOT; or, when a Raspberry Pi's firmware added it, have the firmware start U-Boot rather than the kernel (kernel= in config.txt on BOOT)"
	}
	d.store.Put(!m.Limited, c)
}

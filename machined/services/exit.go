package services

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"syscall"
)

// maxReason bounds the reason that is kept, in bytes.
const maxReason = 400

// crash is how the Go runtime starts to say why it ends a program.
var crash = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |unexpected fault address ).*$`)

// settingsInvalid is kube's exit code for settings that it cannot use.
const settingsInvalid = 2

// describeExit says why kube ended: how the system saw it (nil when it was not our child), and what it wrote last.
func describeExit(status *syscall.WaitStatus, output []byte, oomKill bool) string {
	said := crashLine(output)
	if said == "" {
		said = lastLine(output)
	}
	how := "ended"
	switch {
	case status == nil:
	case status.Signaled() && oomKill:
		how = "killed by the kernel: out of memory"
	case status.Signaled():
		how = fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
	case status.ExitStatus() == settingsInvalid && crashLine(output) == "":
		how = "refused its settings"
	default:
		how = fmt.Sprintf("exit code %d", status.ExitStatus())
	}
	if said == "" {
		return how
	}
	if len(said) > maxReason {
		said = said[:maxReason] + "…"
	}
	return how + ": " + strings.ToValidUTF8(said, "?")
}

func crashLine(output []byte) string { return string(crash.Find(output)) }

func lastLine(output []byte) string {
	output = bytes.TrimRight(output, "\r\n \t")
	return string(output[bytes.LastIndexByte(output, '\n')+1:])
}

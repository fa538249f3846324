// Command faulty takes the place of init, machined and kube in an image that boot tests upgrade to. The kernel argument
// coracle.fault says which of them fails, and how; the others are what they are in any image.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// real is the folder where the imager puts what an overlay replaces.
const real = "/overlaid/usr/bin/"

// faults are what can be wrong, by the value of coracle.fault.
var faults = map[string]struct {
	program string
	do      func()
}{
	"init-panics":    {"init", func() { os.Exit(1) }}, // which PID 1 must not
	"init-hangs":     {"init", func() { time.Sleep(1<<63 - 1) }},
	"machined-exits": {"machined", func() { fmt.Println("it cannot go on"); os.Exit(3) }},
	"kube-hangs":     {"kube", func() { time.Sleep(1<<63 - 1) }},
	"kernel-panics":  {"machined", panicLater},
}

func main() {
	program := filepath.Base(os.Args[0])
	if program == panicker {
		panicAfterUptime()
	}
	// The kernel runs init in modprobe's place too, not as PID 1.
	if f, ok := faults[fault()]; ok && f.program == program && (program != "init" || os.Getpid() == 1) {
		f.do()
	}
	if err := unix.Exec(real+program, os.Args, os.Environ()); err != nil {
		fmt.Fprintf(os.Stderr, "start %s%s: %v\n", real, program, err)
		os.Exit(1)
	}
}

// fault is the value of the kernel argument. PID 1 has /proc from stage 1.
func fault() string {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(line)) {
		if value, ok := strings.CutPrefix(word, "coracle.fault="); ok {
			return value
		}
	}
	return ""
}

// panicker is the name under which this program makes the kernel panic.
const panicker = "faulty-panicker"

// panicLater has a process of its own make the kernel panic once it has been up for a minute.
func panicLater() {
	later := exec.Cmd{Path: "/proc/self/exe", Args: []string{panicker}}
	if err := later.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func panicAfterUptime() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err == nil {
		time.Sleep(time.Minute - time.Duration(now.Nano()))
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

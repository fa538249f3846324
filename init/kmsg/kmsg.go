// Package kmsg writes the machine's log lines to the kernel's log, where they reach the consoles
// together with what the kernel itself has to say.
//
// Errors go out at level 3, what a person at the console should see at level 5 (notice), the rest
// at level 6 (info), which the kernel argument loglevel=6 keeps in dmesg. The kernel argument
// printk.devkmsg=on lifts the rate limit on /dev/kmsg, so that no line is lost.
package kmsg

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// The levels of syslog(3) that are used, at facility user (1).
const (
	facilityUser = 1 << 3
	levelError   = facilityUser | 3
	levelNotice  = facilityUser | 5
	levelInfo    = facilityUser | 6
)

// milestones is where the milestones of this boot that were printed are remembered, so that a
// process that is restarted does not print them again. /run is empty after every boot.
const milestones = "/run/coracle/milestones"

var device struct {
	sync.Mutex
	file *os.File
}

// Error logs what is wrong, and what to do about it, to every console.
func Error(component, format string, args ...any) { write(levelError, component, format, args) }

// Notice logs what a person at the console should see.
func Notice(component, format string, args ...any) { write(levelNotice, component, format, args) }

// Info logs what is only of use in dmesg.
func Info(component, format string, args ...any) { write(levelInfo, component, format, args) }

// Milestone prints "COMPONENT: milestone NAME DETAIL", once a boot. detail may be empty.
func Milestone(component, name, detail string) {
	if os.MkdirAll(milestones, 0o755) == nil {
		f, err := os.OpenFile(filepath.Join(milestones, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			return
		}
		f.Close() // Of a nil file too: then the line is printed rather than lost.
	}
	if detail != "" {
		detail = " " + detail
	}
	Notice(component, "milestone %s%s", name, detail)
}

func write(level int, component, format string, args []any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	device.Lock()
	defer device.Unlock()
	if device.file == nil {
		f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
		if err != nil {
			// Before /dev is mounted, and in tests. The kernel opened the console for us.
			fmt.Fprintf(os.Stderr, "%s: %s\n", component, text)
			return
		}
		device.file = f
	}
	for _, r := range records(level, component, text) {
		device.file.WriteString(r)
	}
}

package inspect

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticks is how many units of CPU time in /proc/PID/stat make a second: USER_HZ, 100 on every architecture of Coracle.
const ticks = 100

// maxArgs bounds a process's arguments, in bytes.
const maxArgs = 4096

// maxProcesses bounds a list of processes; Kubernetes allows a node some hundred pods.
const maxProcesses = 20000

// Process is a process of the machine or of a pod.
type Process struct {
	PID, PPID         int
	State             string // as in /proc/PID/stat: R, S, D, Z, …
	Threads           int
	CPU               time.Duration
	Virtual, Resident uint64 // bytes
	Command           string
	Args              string // empty for the kernel's
	Cgroup            string
	Started           time.Duration // after the kernel's start
}

// Processes lists all processes. Their arguments, which may hold secrets, are looked at only when asked for.
func (s System) Processes(withArgs bool) ([]Process, error) {
	entries, err := fs.ReadDir(s.Proc, ".")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var list []Process
	for _, e := range entries {
		if _, err := strconv.ParseUint(e.Name(), 10, 31); err != nil || len(list) == maxProcesses {
			continue
		}
		stat, err := readAtMost(s.Proc, e.Name()+"/stat", 4096)
		if err != nil {
			continue // it has ended
		}
		p, err := parseStat(stat, uint64(os.Getpagesize()))
		if err != nil {
			return nil, fmt.Errorf("process %s: %w", e.Name(), err)
		}
		if text, err := readAtMost(s.Proc, e.Name()+"/cgroup", 4096); err == nil {
			p.Cgroup = parseCgroup(text)
		}
		if withArgs {
			if text, err := readAtMost(s.Proc, e.Name()+"/cmdline", maxArgs); err == nil {
				p.Args = parseArgs(text)
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// Process looks at one process, without its arguments.
func (s System) Process(pid int) (Process, error) {
	text, err := readAtMost(s.Proc, strconv.Itoa(pid)+"/stat", 4096)
	if err != nil {
		return Process{}, err
	}
	return parseStat(text, uint64(os.Getpagesize()))
}

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The command, in parentheses, may have any characters in it.
func parseStat(text string, page uint64) (Process, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Process{}, fmt.Errorf("stat: no command in %.60q", text)
	}
	f := strings.Fields(text[end+1:]) // f[0] is field 3
	if len(f) < 22 || len(f[0]) != 1 {
		return Process{}, fmt.Errorf("stat: %d fields after the command, want 22", len(f))
	}
	var failed error
	n := func(field, bits int) uint64 {
		v, err := strconv.ParseUint(f[field-3], 10, bits)
		if err != nil && failed == nil {
			failed = fmt.Errorf("stat: field %d: %w", field, err)
		}
		return v
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(text[:open]), 10, 31)
	if err != nil {
		return Process{}, fmt.Errorf("stat: the PID: %w", err)
	}
	p := Process{
		PID: int(pid), PPID: int(n(4, 31)), State: valid(f[0]), Threads: int(n(20, 31)), Command: valid(text[open+1 : end]),
		CPU: jiffies(n(14, 53) + n(15, 53)), Virtual: n(23, 64), Resident: n(24, 48) * page, Started: jiffies(n(22, 53)),
	}
	return p, failed
}

func jiffies(n uint64) time.Duration {
	const tick = time.Second / ticks
	return time.Duration(min(n, uint64(math.MaxInt64/tick))) * tick
}

// parseCgroup reads the path in /proc/PID/cgroup: "0::/kubepods/…".
func parseCgroup(text string) string {
	for l := range strings.Lines(text) {
		if path, found := strings.CutPrefix(l, "0::"); found {
			return valid(strings.TrimSpace(path))
		}
	}
	return ""
}

// parseArgs reads /proc/PID/cmdline, where a zero byte ends each argument.
func parseArgs(text string) string {
	return valid(strings.ReplaceAll(strings.TrimRight(text, "\x00"), "\x00", " "))
}

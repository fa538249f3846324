package inspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CPU is the processors' time since the kernel's start, by what it was spent on, of all of them together.
type CPU map[string]time.Duration

// modes are the columns of the line "cpu" in /proc/stat (proc_stat(5)). The time of guests is in user and nice already.
var modes = []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}

// CPU reads /proc/stat.
func (s System) CPU() (CPU, error) {
	text, err := read(s.Proc, "stat")
	if err != nil {
		return nil, err
	}
	return parseCPU(text)
}

func parseCPU(text string) (CPU, error) {
	first, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(first)
	if len(f) < len(modes)+1 || f[0] != "cpu" {
		return nil, errors.New("/proc/stat: no line cpu with 8 numbers")
	}
	c := CPU{}
	for i, mode := range modes {
		n, err := strconv.ParseUint(f[i+1], 10, 53)
		if err != nil {
			return nil, fmt.Errorf("/proc/stat: %s: %w", mode, err)
		}
		c[mode] = jiffies(n)
	}
	return c, nil
}

// Load is the load averages of 1, 5 and 15 minutes.
func (s System) Load() ([3]float64, error) {
	text, err := read(s.Proc, "loadavg")
	if err != nil {
		return [3]float64{}, err
	}
	return parseLoad(text)
}

func parseLoad(text string) (load [3]float64, err error) {
	f := strings.Fields(text)
	if len(f) < len(load) {
		return load, errors.New("/proc/loadavg: less than 3 numbers")
	}
	for i := range load {
		if load[i], err = strconv.ParseFloat(f[i], 64); err != nil {
			return load, fmt.Errorf("/proc/loadavg: %w", err)
		}
	}
	return load, nil
}

// Uptime is the time since the kernel's start.
func (s System) Uptime() (time.Duration, error) {
	first, _, _ := strings.Cut(line(s.Proc, "uptime"), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil || seconds < 0 || seconds > 1<<33 {
		return 0, fmt.Errorf("/proc/uptime: %q is no number of seconds", first)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// DiskIO is what a disk has read and written since the kernel's start, in bytes.
type DiskIO struct {
	Name          string
	Read, Written uint64
}

// DiskIO reads the counters of whole disks.
func (s System) DiskIO() ([]DiskIO, error) {
	disks, err := s.Disks(nil, "")
	if err != nil {
		return nil, err
	}
	var list []DiskIO
	for _, d := range disks {
		if io, ok := parseDiskStat(line(s.Sys, "class/block/"+d.Name+"/stat")); ok {
			io.Name = d.Name
			list = append(list, io)
		}
	}
	return list, nil
}

// parseDiskStat reads /sys/class/block/DISK/stat (Documentation/block/stat.rst).
func parseDiskStat(text string) (d DiskIO, ok bool) {
	f := strings.Fields(text)
	if len(f) < 7 {
		return d, false
	}
	read, err1 := strconv.ParseUint(f[2], 10, 54)
	written, err2 := strconv.ParseUint(f[6], 10, 54)
	return DiskIO{Read: read * sector, Written: written * sector}, err1 == nil && err2 == nil
}

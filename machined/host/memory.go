package host

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Memory returns the machine's RAM and how much of it can still be had, in bytes.
func Memory() (total, available uint64, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	return parseMemory(string(text))
}

func parseMemory(meminfo string) (total, available uint64, err error) {
	want := map[string]*uint64{"MemTotal:": &total, "MemAvailable:": &available}
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) < 2 || want[fields[0]] == nil {
			continue
		}
		kib, err := strconv.ParseUint(fields[1], 10, 54)
		if err != nil {
			return 0, 0, fmt.Errorf("meminfo: %s %w", fields[0], err)
		}
		*want[fields[0]] = kib << 10
	}
	if total == 0 {
		return 0, 0, fmt.Errorf("meminfo: no MemTotal")
	}
	return total, available, nil
}

// Uptime is the time since the kernel started.
func Uptime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, fmt.Errorf("uptime: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

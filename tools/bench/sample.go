package main

import (
	"bufio"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// sample is what a machine uses at one moment.
type sample struct {
	Total, Available int64            // memory in bytes: MemTotal and MemAvailable of /proc/meminfo
	Anonymous        map[string]int64 // RssAnon in bytes of all processes of one name
	Written          map[string]int64 // bytes written to each disk since boot
}

// Used is the memory that is not available, in bytes.
func (s sample) Used() int64 { return s.Total - s.Available }

// dump is a shell command for a pod that sees the machine's processes. It prints every file that a sample is made of, each
// after a line with its name. A process may end meanwhile.
const dump = `for f in /proc/meminfo /proc/diskstats /proc/[0-9]*/status; do echo "==> $f"; cat $f; done 2>/dev/null; true`

// parseSample reads what dump printed.
func parseSample(text string) (sample, error) {
	s := sample{Anonymous: map[string]int64{}, Written: map[string]int64{}}
	var err error
	for name, lines := range sections(text) {
		switch {
		case name == "/proc/meminfo":
			err = s.readMemory(lines)
		case name == "/proc/diskstats":
			err = s.readDisks(lines)
		default:
			err = s.readStatus(lines)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.Total == 0 || s.Available == 0 {
		return s, fmt.Errorf("no MemTotal or MemAvailable in what the machine printed (%d bytes)", len(text))
	}
	return s, nil
}

// sections splits what dump printed by file.
func sections(text string) map[string][]string {
	out := map[string][]string{}
	var name string
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		if n, ok := strings.CutPrefix(in.Text(), "==> "); ok {
			name = path.Clean(n)
		} else if name != "" {
			out[name] = append(out[name], in.Text())
		}
	}
	return out
}

func (s *sample) readMemory(lines []string) (err error) {
	for _, line := range lines {
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "MemTotal":
			s.Total, err = kibibytes(value)
		case "MemAvailable":
			s.Available, err = kibibytes(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readStatus adds a process. Kernel threads have no RssAnon; a process that ended meanwhile has no line at all.
func (s *sample) readStatus(lines []string) error {
	var name string
	for _, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Name":
			name = strings.TrimSpace(value)
		case "RssAnon":
			n, err := kibibytes(value)
			if err != nil {
				return err
			}
			s.Anonymous[name] += n
		}
	}
	return nil
}

// sectorSize of /proc/diskstats, in bytes, whatever the disk's own is (Documentation/admin-guide/iostats.rst).
const sectorSize = 512

// readDisks keeps whole disks: partitions are counted in them, and the others (loop, dm, zram) write to them or to memory.
func (s *sample) readDisks(lines []string) error {
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 10 {
			return fmt.Errorf("line of %d fields: %q", len(f), line)
		}
		if !strings.HasPrefix(f[2], "vd") || len(f[2]) != 3 {
			continue
		}
		sectors, err := strconv.ParseInt(f[9], 10, 64)
		if err != nil {
			return err
		}
		s.Written[f[2]] = sectors * sectorSize
	}
	return nil
}

// kibibytes reads "  123 kB" as bytes.
func kibibytes(value string) (int64, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || unit != "kB" {
		return 0, fmt.Errorf("%q is not a number of kB", value)
	}
	return n << 10, nil
}

// writtenSince is the number of bytes that all disks took since an earlier sample.
func (s sample) writtenSince(earlier sample) int64 {
	var n int64
	for disk, written := range s.Written {
		n += written - earlier.Written[disk]
	}
	return n
}

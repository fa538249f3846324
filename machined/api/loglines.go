package api

import (
	"bytes"
	"regexp"
	"strconv"
	"time"

	"github.com/coracle-os/coracle/machined/config"
)

// maxLine is the longest line; what is longer is cut in lines.
const maxLine = 64 << 10

// splitter calls line for each line that is written to it, with its newline.
type splitter struct {
	line    func([]byte) error
	partial []byte
}

func (s *splitter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		ended := n > 0
		if !ended {
			n = len(rest)
		}
		n = min(n, maxLine-len(s.partial))
		s.partial = append(s.partial, rest[:n]...)
		rest = rest[n:]
		if s.partial[len(s.partial)-1] == '\n' || len(s.partial) == maxLine {
			if err := s.end(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// end makes a line of what has none yet.
func (s *splitter) end() error {
	if len(s.partial) == 0 {
		return nil
	}
	b := s.partial
	if b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	s.partial = nil
	return s.line(b)
}

// lastLines holds back the last lines.
type lastLines struct {
	most  int64
	next  func([]byte) error
	lines [][]byte
	size  int
}

func (l *lastLines) line(b []byte) error {
	l.lines = append(l.lines, bytes.Clone(b))
	l.size += len(b)
	for int64(len(l.lines)) > l.most || l.size > maxTail {
		l.size -= len(l.lines[0])
		l.lines[0] = nil
		l.lines = l.lines[1:]
	}
	return nil
}

func (l *lastLines) flush() error {
	for _, b := range l.lines {
		if err := l.next(b); err != nil {
			return err
		}
	}
	l.lines, l.size = nil, 0
	return nil
}

// argument is the kernel argument with the config's URL, which may have a password in it. The kernel's log begins with
// its arguments.
var argument = regexp.MustCompile(regexp.QuoteMeta(config.Argument) + `=("[^"]*"?|\S+)`)

func hideArgument(b []byte) []byte {
	if !bytes.Contains(b, []byte(config.Argument+"=")) {
		return b
	}
	return argument.ReplaceAll(b, []byte(config.Argument+"=(not shown)"))
}

// KernelTime says when a line of the kernel's log was written, "[   12.345678] text", of a kernel that started then.
func KernelTime(started func() time.Time) func(line []byte) (time.Time, bool) {
	return func(line []byte) (time.Time, bool) {
		head, _, found := bytes.Cut(line, []byte("] "))
		head, open := bytes.CutPrefix(head, []byte("["))
		seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(head)), 64)
		if !found || !open || err != nil || !(seconds >= 0 && seconds < 1<<32) {
			return time.Time{}, false
		}
		return started().Add(time.Duration(seconds * float64(time.Second))), true
	}
}

// Times in the log of kube, whose parts do not write alike: klog's "I0102 15:04:05.000000", which has no year, and
// containerd's and etcd's times of RFC 3339 after a name.
var (
	klogTime  = regexp.MustCompile(`^[IWEF](\d{4} \d\d:\d\d:\d\d\.\d{6}) `)
	namedTime = regexp.MustCompile(`(?:\btime=|"ts":|"time":)"([^"]{20,35})"`)
)

// KubeTime says when a line of the log of kube was written.
func KubeTime(line []byte) (time.Time, bool) { return kubeTime(line, time.Now()) }

func kubeTime(line []byte, now time.Time) (time.Time, bool) {
	line = line[:min(len(line), 300)]
	if m := klogTime.FindSubmatch(line); m != nil {
		t, err := time.Parse("2006 0102 15:04:05.000000", strconv.Itoa(now.UTC().Year())+" "+string(m[1]))
		if err == nil && t.After(now.Add(24*time.Hour)) { // of December, in January
			t, err = time.Parse("2006 0102 15:04:05.000000", strconv.Itoa(now.UTC().Year()-1)+" "+string(m[1]))
		}
		return t, err == nil
	}
	m := namedTime.FindSubmatch(line)
	if m == nil {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, string(m[1])); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// pollEvery is how often a growing file is looked at: the resolution of a milestone's time by the host's clock.
const pollEvery = 25 * time.Millisecond

// longestLine bounds a line that never ends, in bytes.
const longestLine = 64 << 10

// Log is everything a machine printed since power-on. It may be used from several goroutines.
type Log struct {
	start time.Time

	mu         sync.Mutex
	partial    []byte // start of a line whose end has not come
	lines      []Line
	milestones []Milestone
	changed    chan struct{} // closed and replaced at every new line, and at the end
	failure    error         // why nothing more is worth waiting for
	failed     chan struct{} // closed with failure
	int3       int3Reader
	spurious   string // see SpuriousInt3
}

// NewLog returns the empty log of a machine that was switched on at start.
func NewLog(start time.Time) *Log {
	return &Log{start: start, changed: make(chan struct{}), failed: make(chan struct{})}
}

// Follow reads the file at path, which another process appends to, until ctx ends; then once more to its end.
func (l *Log) Follow(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open console log: %w", err)
	}
	defer f.Close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if _, err := io.Copy(l, f); err != nil {
			return fmt.Errorf("read console log: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_, err := io.Copy(l, f)
			return err
		}
	}
}

// Write takes the next bytes of the console.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	seen := time.Since(l.start)
	before := len(l.lines)
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 && len(l.partial) < longestLine {
			break
		}
		if i < 0 {
			i = len(l.partial) - 1
		}
		l.add(Line{Text: plain(l.partial[:i]), Seen: seen})
		l.partial = l.partial[i+1:]
	}
	l.checkFatal(string(l.partial)) // a prompt has no line end
	if len(l.lines) > before || l.failure != nil {
		l.wake()
	}
	return len(p), nil
}

// escapes are what boot loaders send to terminals: colours, cursor positions.
var escapes = regexp.MustCompile(`\x1b\[[0-9;=?]*[A-Za-z]`)

func plain(line []byte) string {
	return strings.TrimRight(string(escapes.ReplaceAll(line, nil)), "\r")
}

func (l *Log) add(line Line) {
	l.lines = append(l.lines, line)
	if m, ok := line.Milestone(); ok {
		l.milestones = append(l.milestones, m)
	}
	if oops := l.int3.read(line); oops != "" {
		l.spurious = oops
		l.fail(fmt.Errorf("the kernel stopped at a breakpoint that its code does not have: %s", oops))
	}
	l.checkFatal(line.Text)
}

func (l *Log) checkFatal(text string) {
	if why := fatalMeaning(text); why != "" {
		l.fail(fmt.Errorf("%s: %s", why, text))
	}
}

// fail keeps the first reason.
func (l *Log) fail(err error) {
	if l.failure == nil {
		l.failure = err
		close(l.failed)
	}
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Fail ends every wait, present and future, with err, unless what is waited for is already there.
func (l *Log) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(err)
	l.wake()
}

// Failed is closed when nothing more is worth waiting for: the machine cannot go on, or is off.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err is why, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// SpuriousInt3 returns the first line of an oops about a breakpoint that the kernel's code does not have, or "". On a
// processor that is emulated, the emulator may be to blame; on a real one, the kernel or the processor is.
func (l *Log) SpuriousInt3() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spurious
}

// Wait returns the first line that matches. It fails when ctx ends or the machine cannot print it any more.
func (l *Log) Wait(ctx context.Context, re *regexp.Regexp) (Line, error) {
	var found Line
	err := l.wait(ctx, fmt.Sprintf("a console line like %q", re), func() bool {
		i := slices.IndexFunc(l.lines, func(line Line) bool { return re.MatchString(line.Text) })
		if i >= 0 {
			found = l.lines[i]
		}
		return i >= 0
	})
	return found, err
}

// WaitMilestone returns the first milestone of that name.
func (l *Log) WaitMilestone(ctx context.Context, name string) (Milestone, error) {
	var found Milestone
	err := l.wait(ctx, "milestone "+name, func() bool {
		i := slices.IndexFunc(l.milestones, func(m Milestone) bool { return m.Name == name })
		if i >= 0 {
			found = l.milestones[i]
		}
		return i >= 0
	})
	return found, err
}

// Line returns line n, counted from 0, once it is there.
func (l *Log) Line(ctx context.Context, n int) (Line, error) {
	var found Line
	err := l.wait(ctx, "a further line", func() bool {
		if n < len(l.lines) {
			found = l.lines[n]
		}
		return n < len(l.lines)
	})
	return found, err
}

// wait calls there, with l locked, until it is true.
func (l *Log) wait(ctx context.Context, what string, there func() bool) error {
	for {
		l.mu.Lock()
		ok, failure, changed, last := there(), l.failure, l.changed, l.lastLine()
		l.mu.Unlock()
		if ok {
			return nil
		}
		if failure != nil {
			return fmt.Errorf("waiting for %s: %w", what, failure)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last line: %s", what, context.Cause(ctx), last)
		}
	}
}

func (l *Log) lastLine() string {
	if len(l.lines) == 0 {
		return "(none: the console is empty)"
	}
	return l.lines[len(l.lines)-1].Text
}

// Milestones returns those that were printed so far.
func (l *Log) Milestones() []Milestone {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.milestones)
}

// Matching returns the lines so far that match, oldest first.
func (l *Log) Matching(re *regexp.Regexp) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.lines {
		if re.MatchString(line.Text) {
			out = append(out, line.Text)
		}
	}
	return out
}

// Tail returns the last n lines, and what stands on an unfinished one.
func (l *Log) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.lines[max(0, len(l.lines)-n):] {
		b.WriteString(line.Text + "\n")
	}
	b.Write(l.partial)
	return b.String()
}

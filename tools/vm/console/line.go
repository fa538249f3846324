// Package console reads what a machine prints on its serial console: milestones, notices, failures, and lines to wait for.
package console

import (
	"regexp"
	"time"
)

// Line is one line of the console, without its end.
type Line struct {
	Text string
	Seen time.Duration // since power-on, by the host's clock
}

// Milestone is a step of the boot that init or machined announced.
type Milestone struct {
	Component string        // who says it: init, machined
	Name      string        // such as node-ready
	Detail    string        // the rest of the line, often empty
	Kernel    time.Duration // since the kernel started, by the kernel's own clock
	Seen      time.Duration // since power-on, by the host's clock; includes firmware and boot loader
}

// A boot loader leaves half a line before the kernel's first one, so the pattern is not anchored there.
// The optional second bracket is CONFIG_PRINTK_CALLER's.
var (
	kernelLine    = regexp.MustCompile(`\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? (.*)$`)
	milestoneText = regexp.MustCompile(`^([a-z][a-z0-9-]*): milestone ([a-z][a-z0-9-]*)(?: (.*))?$`)
	noticeText    = regexp.MustCompile(`^(?:init|machined): `)
)

// message splits a line of the kernel's log into its time stamp and its text.
func (l Line) message() (stamp time.Duration, text string, ok bool) {
	m := kernelLine.FindStringSubmatch(l.Text)
	if m == nil {
		return 0, "", false
	}
	stamp, err := time.ParseDuration(m[1] + "s")
	return stamp, m[2], err == nil
}

// Milestone reads a line as a milestone. ok is false when it is none.
func (l Line) Milestone() (m Milestone, ok bool) {
	stamp, text, ok := l.message()
	if !ok {
		return m, false
	}
	parts := milestoneText.FindStringSubmatch(text)
	if parts == nil {
		return m, false
	}
	return Milestone{Component: parts[1], Name: parts[2], Detail: parts[3], Kernel: stamp, Seen: l.Seen}, true
}

// Notice reads a line as something that init or machined want the person at the console to see. ok is false when it is none.
func (l Line) Notice() (text string, ok bool) {
	_, text, ok = l.message()
	return text, ok && noticeText.MatchString(text)
}

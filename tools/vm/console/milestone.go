// Package console reads what a machine prints on its serial console: milestones, failures, and lines to wait for.
package console

import (
	"regexp"
	"time"
)

// Milestone is a step of the boot that init or machined announced.
type Milestone struct {
	Component string        // who says it: init, machined
	Name      string        // such as node-ready
	Detail    string        // the rest of the line, often empty
	Kernel    time.Duration // since the kernel started, by the kernel's own clock
	Seen      time.Duration // since power-on, by the host's clock; includes firmware and boot loader
}

// A boot loader leaves escape sequences at the start of the kernel's first line, so the pattern is not anchored there.
// The optional second bracket is CONFIG_PRINTK_CALLER's.
var (
	kernelLine    = regexp.MustCompile(`\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? (.*)$`)
	milestoneText = regexp.MustCompile(`^([a-z][a-z0-9-]*): milestone ([a-z][a-z0-9-]*)(?: (.*))?$`)
)

// parseMilestone reads a console line. ok is false when it is none.
func parseMilestone(line string) (m Milestone, ok bool) {
	k := kernelLine.FindStringSubmatch(line)
	if k == nil {
		return m, false
	}
	text := milestoneText.FindStringSubmatch(k[2])
	if text == nil {
		return m, false
	}
	kernel, err := time.ParseDuration(k[1] + "s")
	if err != nil {
		return m, false
	}
	return Milestone{
		Component: text[1], Name: text[2], Detail: text[3],
		Kernel: kernel,
	}, true
}

// fatal is what a machine prints when it cannot go on, and what that means.
var fatal = []struct {
	pattern *regexp.Regexp
	meaning string
}{
	{regexp.MustCompile(`Kernel panic - not syncing`), "the kernel panicked"},
	{regexp.MustCompile(`No bootable device`), "the BIOS found nothing to boot on the disk"},
	{regexp.MustCompile(`UEFI Interactive Shell`), "UEFI found nothing to boot on the disk and started its shell"},
	{regexp.MustCompile(`BdsDxe: No bootable option or device was found`), "UEFI found nothing to boot on the disk"},
	{regexp.MustCompile(`grub( rescue)?> `), "GRUB stopped at its prompt"},
}

// fatalMeaning says what a line that ends a boot means, or "".
func fatalMeaning(line string) string {
	for _, f := range fatal {
		if f.pattern.MatchString(line) {
			return f.meaning
		}
	}
	return ""
}

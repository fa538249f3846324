package console

import "regexp"

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

// OutOfMemory matches what the kernel prints when it ends a process for want of memory, the machine's or that of the
// process's cgroup.
var OutOfMemory = regexp.MustCompile(`(?i)out of memory.*: Killed process`)

// fatalMeaning says what a line that ends a boot means, or "".
func fatalMeaning(line string) string {
	for _, f := range fatal {
		if f.pattern.MatchString(line) {
			return f.meaning
		}
	}
	return ""
}

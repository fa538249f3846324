package boards

import (
	"fmt"
	"strings"
)

// noKernel is not on BOOT. A firmware that is to start it says so: the LED flashes 7 times. Of a kernel for other processors it would say nothing.
const noKernel = "this-image-is-for-other-models"

// ConfigTxt is the file config.txt, which the firmware reads before it starts U-Boot.
func (m Models) ConfigTxt() []byte {
	var b strings.Builder
	b.WriteString("# The firmware's settings. Those for Coracle are in machine.yaml and coracle/custom.cfg.\n")
	for _, line := range m.Config {
		fmt.Fprintln(&b, line)
	}
	kernel := func(section, file string) {
		if section != "" {
			fmt.Fprintf(&b, "\n[%s]\n", section)
		}
		fmt.Fprintf(&b, "kernel=%s\n", file)
	}
	// The last kernel of a model's sections counts.
	kernel("", m.UBoot[0].File)
	for _, section := range m.Refused {
		kernel(section, noKernel)
	}
	for _, section := range m.Accepted {
		kernel(section, m.UBoot[0].File)
	}
	for _, u := range m.UBoot[1:] {
		kernel(u.Section, u.File)
	}
	// What a person appends is for every model.
	b.WriteString("\n[all]\n")
	return []byte(b.String())
}

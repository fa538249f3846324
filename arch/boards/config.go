package boards

import (
	"fmt"
	"strings"
)

// ConfigTxt is the file config.txt, which the firmware reads before it starts U-Boot.
func (m Models) ConfigTxt() []byte {
	var b strings.Builder
	b.WriteString("# The firmware's settings. Those for Coracle are in machine.yaml and coracle/custom.cfg.\n")
	for _, line := range m.Config {
		fmt.Fprintln(&b, line)
	}
	for _, u := range m.UBoot {
		if u.Section != "" {
			fmt.Fprintf(&b, "\n[%s]\n", u.Section)
		}
		fmt.Fprintf(&b, "kernel=%s\n", u.File)
	}
	// What a person appends is for every model.
	b.WriteString("\n[all]\n")
	return []byte(b.String())
}

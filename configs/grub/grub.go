// Package grub has the configuration of the boot loader, from its first command to the kernel's arguments.
package grub

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
)

//go:embed early.cfg
var early string

// Boot is BOOT/coracle/grub.cfg; it chooses the slot.
//
//go:embed boot.cfg
var Boot []byte

//go:embed slot.cfg
var slot string

var slotTemplate = template.Must(template.New("slot.cfg").Parse(slot))

// Early is built into GRUB's image; it finds BOOT. Its comments are left out: the rescue parser takes them for commands.
func Early() []byte {
	var out []byte
	for line := range strings.Lines(early) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, line...)
		}
	}
	return out
}

// DefaultArguments are the kernel arguments of an image definition that names none. The last console is the one that
// /dev/console is; lines at level notice (5) and above reach all of them.
var DefaultArguments = []string{
	"console=tty0", "console=ttyS0,115200", "loglevel=6", "printk.devkmsg=on", "panic=10",
}

// special are the characters at which GRUB's shell would expand, split or end the line.
const special = " \t\r\n\"'\\$;|&<>{}#"

// CheckArgument checks one kernel argument.
func CheckArgument(a string) error {
	if a == "" {
		return errors.New("a kernel argument cannot be empty")
	}
	if i := strings.IndexAny(a, special); i >= 0 {
		return fmt.Errorf("%q is not one kernel argument: GRUB gives %q a meaning", a, a[i])
	}
	return nil
}

// Slot is a slot's own grub.cfg, with the kernel arguments of its build.
func Slot(arguments []string) ([]byte, error) {
	for _, a := range arguments {
		if err := CheckArgument(a); err != nil {
			return nil, fmt.Errorf("slot's grub.cfg: %w", err)
		}
	}
	var out bytes.Buffer
	if err := slotTemplate.Execute(&out, strings.Join(arguments, " ")); err != nil {
		return nil, fmt.Errorf("slot's grub.cfg: %w", err)
	}
	return out.Bytes(), nil
}

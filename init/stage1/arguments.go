package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// arguments are the kernel arguments that stage 1 heeds.
type arguments struct {
	slot  string // "a" or "b"
	boot  string // PARTUUID of the BOOT partition, lower case: a GUID in a GPT, xxxxxxxx-01 in an MBR
	trial bool   // the boot loader boots the slot this once
}

func readArguments(path string) (arguments, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return arguments{}, fmt.Errorf("read the kernel arguments: %w", err)
	}
	args, err := parseArguments(string(b))
	if err != nil {
		return args, advise(err, "GRUB's configuration on the BOOT partition (coracle/grub.cfg) sets it. "+reinstall)
	}
	return args, nil
}

// parseArguments reads a kernel command line. As in the kernel, the last of several equal arguments
// counts.
func parseArguments(line string) (arguments, error) {
	var a arguments
	for word := range strings.FieldsSeq(line) {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "coracle.slot":
			a.slot = value
		case "coracle.boot":
			a.boot = strings.ToLower(value)
		case "coracle.trial":
			a.trial = true
		}
	}
	switch {
	case a.slot == "":
		return a, errors.New("the kernel argument coracle.slot is missing: it names the slot to run, a or b")
	case a.slot != "a" && a.slot != "b":
		return a, fmt.Errorf("the kernel argument coracle.slot is %q, it must be a or b", a.slot)
	case a.boot == "":
		return a, errors.New("the kernel argument coracle.boot is missing: it names the BOOT partition by its PARTUUID")
	}
	return a, nil
}

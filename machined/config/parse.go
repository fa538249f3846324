// Package config reads, checks and stores the machine config.
package config

import (
	"fmt"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// MaxSize of a machine config, in bytes. Larger than anybody writes, small enough to hold in memory.
const MaxSize = 1 << 20

// Parse reads a machine config, sets defaults and checks it. file is the name that problems carry. The error has every
// problem at once and is of type [strict.Problems].
func Parse(file string, data []byte) (types.MachineConfig, error) {
	var c types.MachineConfig
	if len(data) > MaxSize {
		return c, strict.Problems{{File: file, Message: fmt.Sprintf("is larger than %d bytes", MaxSize)}}
	}
	doc, err := strict.Decode(file, data, &c)
	problems, _ := err.(strict.Problems)
	if err != nil && len(problems) == 0 {
		return c, err
	}
	reported := map[string]bool{}
	for _, p := range problems {
		reported[p.Path] = true
	}
	for _, p := range validate(doc, &c) {
		// What could not be read was reported already; that it is missing or wrong too helps nobody.
		if !reported[""] && !reported[p.Path] {
			problems, reported[p.Path] = append(problems, p), true
		}
	}
	if len(problems) > 0 {
		return c, problems.Sorted().First(strict.MaxProblems)
	}
	return c, nil
}

// Default is the config that a machine runs with until it has one: DHCP on every interface, and no role.
func Default() types.MachineConfig {
	var c types.MachineConfig
	strict.Defaults(&c)
	return c
}

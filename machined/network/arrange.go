package network

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/config/types"
)

// Marks are groups of interfaces (ip-link(8)). The kernel sets a group as it makes an interface, so that no crash leaves one of
// ours that looks like somebody else's. 0 is the group of all others.
const (
	madeMark   = 0xC0AC1E // made by Coracle
	memberMark = 0xC0AC1F // made a member of a bond or bridge by Coracle
)

// shape is what a made interface is, as far as a change of it needs another interface. Its zero value: of another kind.
type shape struct {
	Kind   string // as the kernel calls it: vlan, bond, bridge
	Parent string // of a VLAN
	ID     int    // of a VLAN

	Mode, LACPRate, HashPolicy string // of a bond; empty where the mode has no use for it
	MIIMon                     int    // of a bond
}

// shapeOf is the shape that c is to have.
func shapeOf(c *types.Interface) shape {
	switch {
	case c.VLAN != nil:
		return shape{Kind: "vlan", Parent: c.VLAN.Parent, ID: c.VLAN.ID}
	case c.Bond != nil:
		return bondShape(c.Bond.Mode, c.Bond.LACPRate, c.Bond.HashPolicy, c.Bond.MIIMon)
	case c.Bridge != nil:
		return shape{Kind: "bridge"}
	}
	return shape{}
}

func bondShape(mode, lacpRate, hashPolicy string, miimon int) shape {
	s := shape{Kind: "bond", Mode: mode, MIIMon: miimon}
	if mode == "802.3ad" {
		s.LACPRate = lacpRate
	}
	if slices.Contains([]string{"802.3ad", "balance-xor", "balance-tlb"}, mode) {
		s.HashPolicy = hashPolicy
	}
	return s
}

// action is what to do with a link.
type action string

const (
	removeLink action = "remove"
	makeLink   action = "make"
	attach     action = "make a member"
	detach     action = "free"
	setMTU     action = "set the MTU of"
	setUp      action = "bring up"
	setSTP     action = "set the spanning tree protocol of"
	setPrimary action = "set the primary member of"
)

// linkStep is one thing to do so that made interfaces are there, with their members.
type linkStep struct {
	Do    action
	Name  string           // of the interface
	Other string           // of a member: the bond or bridge; setPrimary: the member; makeLink: the member whose MAC address it gets
	Want  *types.Interface // makeLink, setSTP: how it should be
	MTU   int              // setMTU
	Down  bool             // attach: it has to be down for that
}

// made is the made interface that the step is for.
func (s linkStep) made() string {
	if s.Do == attach || s.Do == setUp || s.Do == setMTU {
		return s.Other
	}
	return s.Name
}

// arrange says what to do next so that the interfaces that the config makes are there, with their members. What a step makes
// possible is among the steps when the kernel is looked at again. missing says of a made interface what it lacks. settled is
// whether drivers have had time to find their hardware.
func arrange(config types.Network, all []link, settled bool) (steps []linkStep, missing map[string]string) {
	missing = map[string]string{}
	byName, byIndex := map[string]link{}, map[int]link{}
	for _, l := range all {
		byName[l.Name], byIndex[l.Index] = l, l
	}
	wanted := map[string]*types.Interface{}
	for i := range config.Interfaces {
		if c := &config.Interfaces[i]; c.Made() {
			wanted[c.Name] = c
		}
	}
	for _, l := range all {
		c := wanted[l.Name]
		switch ours := l.Mark == madeMark; {
		case ours && (c == nil || shapeOf(c) != l.Shape), c != nil && !ours && cameWithModule(l):
			steps = append(steps, linkStep{Do: removeLink, Name: l.Name})
			delete(byName, l.Name)
		case c != nil && !ours:
			missing[l.Name] = "an interface of that name is there already, and Coracle did not make it"
		case freed(config, l, byIndex[l.Master]):
			steps = append(steps, linkStep{Do: detach, Name: l.Name})
		}
	}
	for i := range config.Interfaces {
		c := &config.Interfaces[i]
		if !c.Made() || missing[c.Name] != "" {
			continue
		}
		l, there := byName[c.Name]
		var more []linkStep
		var lacks string
		if there {
			more, lacks = complete(config, c, l, byName)
		} else {
			more, lacks = create(c, byName, settled)
		}
		steps = append(steps, more...)
		if lacks != "" {
			missing[c.Name] = lacks
		}
	}
	return steps, missing
}

// cameWithModule is whether l is the bond that the kernel's module makes of its own accord when it is loaded.
func cameWithModule(l link) bool {
	return l.Name == "bond0" && l.Shape.Kind == "bond" && l.Shape.Mode == "balance-rr" && !l.Up && l.Mark == 0
}

// freed is whether Coracle made l a member, and it is not to be one any more.
func freed(config types.Network, l, master link) bool {
	c := masterOf(config, l.Name)
	switch {
	case l.Mark == memberMark && l.Master == 0:
		return c == nil
	case l.Mark == memberMark, l.Mark == madeMark && master.Mark == madeMark:
		return c == nil || c.Name != master.Name
	}
	return false
}

// create makes the interface c if what it consists of is there.
func create(c *types.Interface, byName map[string]link, settled bool) (steps []linkStep, lacks string) {
	step := linkStep{Do: makeLink, Name: c.Name, Want: c}
	if c.VLAN != nil {
		if _, there := byName[c.VLAN.Parent]; !there {
			return nil, fmt.Sprintf("its parent %s is not there", c.VLAN.Parent)
		}
		return []linkStep{step}, ""
	}
	// The MAC address is the first member's, so that the DHCP server knows the machine: on a good day all are waited for.
	for _, m := range c.Members() {
		if _, there := byName[m]; !there && !settled {
			return nil, fmt.Sprintf("its member %s is not there", m)
		} else if there {
			step.Other = cmp.Or(step.Other, m)
		}
	}
	return []linkStep{step}, ""
}

// complete gives the interface l, made for c, its members and what can be changed of it.
func complete(config types.Network, c *types.Interface, l link, byName map[string]link) (steps []linkStep, lacks string) {
	for _, name := range c.Members() {
		m, there := byName[name]
		switch {
		case !there:
			lacks = fmt.Sprintf("its member %s is not there", name)
			continue
		case m.Master != l.Index && m.Master != 0 && m.Mark == 0:
			lacks = fmt.Sprintf("its member %s is part of something else that Coracle did not make", name)
			continue
		case m.Master != l.Index:
			steps = append(steps, linkStep{Do: attach, Name: name, Other: c.Name, Down: c.Bond != nil && m.Up})
		case !m.Up:
			steps = append(steps, linkStep{Do: setUp, Name: name, Other: c.Name})
		}
		if mtu := memberMTU(config, c, m); mtu != 0 && mtu != m.MTU {
			steps = append(steps, linkStep{Do: setMTU, Name: name, Other: c.Name, MTU: mtu})
		}
	}
	if c.Bridge != nil && c.Bridge.STP != l.STP {
		steps = append(steps, linkStep{Do: setSTP, Name: c.Name, Want: c})
	}
	if c.Bond != nil && c.Bond.Primary != l.Primary && (c.Bond.Primary == "" || byName[c.Bond.Primary].Master == l.Index) {
		steps = append(steps, linkStep{Do: setPrimary, Name: c.Name, Other: c.Bond.Primary})
	}
	return steps, lacks
}

// memberMTU is the MTU of a bridge's port: what its own entry says, or the bridge's. 0: as it is. A bond gives its members its own.
func memberMTU(config types.Network, master *types.Interface, m link) int {
	if master.Bridge == nil {
		return 0
	}
	for i := range config.Interfaces {
		if c := &config.Interfaces[i]; c.MTU != 0 && selects(c, m) {
			return c.MTU
		}
	}
	return master.MTU
}

// Package change finds what differs between two machine configs, and what it takes to put that in force.
package change

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// Need is what a change needs to take effect.
type Need string

const (
	Now    Need = "now"    // nothing is restarted
	Kube   Need = "kube"   // Kubernetes is restarted; pods keep running
	Reboot Need = "reboot" // the machine reboots
	Never  Need = "never"  // it cannot be made on a machine that has a cluster
)

// needs in their order, the least first.
var needs = []Need{Now, Kube, Reboot, Never}

// NeedOf is what an applies tag says; a field without one needs a reboot.
func NeedOf(applies string) Need {
	if n := Need(applies); slices.Contains(needs, n) {
		return n
	}
	return Reboot
}

func most(a, b Need) Need {
	return needs[max(slices.Index(needs, a), slices.Index(needs, b))]
}

// Change is a field, or an entry of a list or map, that is not the same in two configs.
type Change struct {
	Path   string // machine.network.interfaces[0].mtu, machine.labels["example.com/site"]
	Before string // YAML on one line, secrets redacted; empty: was not set
	After  string // the same; empty: is no longer set
	Needs  Need
}

// Between lists what differs from before to after, in the order of the fields. Lists of single values are one change; those
// of groups are compared entry by entry, an entry that is new or gone being one change.
func Between(before, after types.MachineConfig) []Change {
	var d differ
	d.compare("", place{applies: string(Reboot)}, reflect.ValueOf(&before).Elem(), reflect.ValueOf(&after).Elem())
	return d.changes
}

type differ struct{ changes []Change }

// place is what is known of a value from the fields that it is in.
type place struct {
	applies string
	secret  bool
	entry   bool // of a list or map: it is there even when it is empty
}

func (p place) in(f strict.Field) place {
	if f.Applies != "" {
		p.applies = f.Applies
	}
	p.secret, p.entry = p.secret || f.Secret, false
	return p
}

func (d *differ) compare(path string, at place, a, b reflect.Value) {
	switch t := a.Type(); {
	case strict.IsText(t):
		d.leaf(path, at, a, b)
	case t.Kind() == reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			d.leaf(path, at, a, b)
			return
		}
		d.compare(path, at, a.Elem(), b.Elem())
	case t.Kind() == reflect.Struct:
		for _, f := range strict.Fields(t) {
			p := f.Name
			if path != "" {
				p = path + "." + f.Name
			}
			d.compare(p, at.in(f), f.Of(a), f.Of(b))
		}
	case t.Kind() == reflect.Map:
		d.compareMaps(path, at, a, b)
	case t.Kind() == reflect.Slice && isGroup(t.Elem()):
		for i := range max(a.Len(), b.Len()) {
			d.entry(fmt.Sprintf("%s[%d]", path, i), at, element(a, i), element(b, i))
		}
	default:
		d.leaf(path, at, a, b)
	}
}

func (d *differ) compareMaps(path string, at place, a, b reflect.Value) {
	names := map[string]reflect.Value{}
	for _, m := range []reflect.Value{a, b} {
		for _, key := range m.MapKeys() {
			names[key.String()] = key
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.entry(path+"["+strconv.Quote(name)+"]", at, a.MapIndex(names[name]), b.MapIndex(names[name]))
	}
}

// entry compares an entry of a list or map, which a or b may not have.
func (d *differ) entry(path string, at place, a, b reflect.Value) {
	at.entry = true
	if a.IsValid() && b.IsValid() {
		d.compare(path, at, a, b)
		return
	}
	d.leaf(path, at, a, b)
}

func element(list reflect.Value, i int) reflect.Value {
	if i < list.Len() {
		return list.Index(i)
	}
	return reflect.Value{}
}

// leaf compares values that are shown as a whole.
func (d *differ) leaf(path string, at place, a, b reflect.Value) {
	if same(a, b) {
		return
	}
	c := Change{Path: path, Before: at.oneLine(a), After: at.oneLine(b), Needs: NeedOf(at.applies)}
	for _, v := range []reflect.Value{a, b} {
		if v.IsValid() {
			c.Needs = most(c.Needs, inside(v.Type(), at.applies))
		}
	}
	if c.Before == c.After {
		c.After += changedMark // a secret, or what has one in it
	}
	d.changes = append(d.changes, c)
}

// changedMark follows a value that looks as it did before, because what differs is redacted.
const changedMark = " (changed)"

// inside is the most that a change of a field in t needs.
func inside(t reflect.Type, applies string) Need {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && !strict.IsText(t) || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if !isGroup(t) {
		return NeedOf(applies)
	}
	need := Now
	for _, f := range strict.Fields(t) {
		need = most(need, inside(f.Type, place{applies: applies}.in(f).applies))
	}
	return need
}

func isGroup(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !strict.IsText(t)
}

// same is whether a change from a to b changes nothing. A list or map that is empty is the same as none.
func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

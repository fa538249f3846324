// Package contexts keeps what an operator knows of machines: where they are, and the keys that they must show.
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Machine is a machine that is known.
type Machine struct {
	Name        string `yaml:"name" json:"name"`
	Address     string `yaml:"address" json:"address"`         // host or host:port
	Fingerprint string `yaml:"fingerprint" json:"fingerprint"` // of its key: SHA256:…
}

// File is the content of the contexts file.
type File struct {
	Current  string              `yaml:"current,omitempty" json:"current"` // machine or group that commands are for by default
	Machines []Machine           `yaml:"machines,omitempty" json:"machines"`
	Groups   map[string][]string `yaml:"groups,omitempty" json:"groups"` // name → names of machines
}

// Load reads the file at path; one that is not there is empty.
func Load(path string) (File, error) {
	var f File
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read the contexts file: %w", err)
	}
	if f, err = parse(text); err != nil {
		return f, fmt.Errorf("contexts file %s: %w", path, err)
	}
	return f, nil
}

func parse(text []byte) (f File, err error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return f, err
	}
	return f, f.check()
}

// Update changes the file at path. Nothing is written when change fails.
func Update(path string, change func(*File) error) error {
	f, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(&f); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, text, 0o600)
}

var (
	nameForm        = regexp.MustCompile(`^[A-Za-z0-9][-_.A-Za-z0-9]{0,252}$`)
	fingerprintForm = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)
)

// CheckFingerprint is an error that says what a fingerprint looks like, if s is none.
func CheckFingerprint(s string) error {
	if !fingerprintForm.MatchString(s) {
		return fmt.Errorf("%q is not a fingerprint: SHA256: and 43 letters, digits, + or /, as the machine's console shows it", s)
	}
	return nil
}

func (f *File) check() error {
	seen := map[string]bool{}
	for _, m := range f.Machines {
		switch {
		case !nameForm.MatchString(m.Name):
			return fmt.Errorf("%q is not a name of a machine: letters, digits, -, _ and .", m.Name)
		case seen[m.Name]:
			return fmt.Errorf("machine %s is there twice", m.Name)
		}
		seen[m.Name] = true
		if _, err := HostPort(m.Address); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
		if err := CheckFingerprint(m.Fingerprint); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	for name, members := range f.Groups {
		switch {
		case !nameForm.MatchString(name):
			return fmt.Errorf("%q is not a name of a group: letters, digits, -, _ and .", name)
		case seen[name]:
			return fmt.Errorf("%s is a machine and a group", name)
		}
		for _, m := range members {
			if _, ok := f.Machine(m); !ok {
				return fmt.Errorf("group %s: there is no machine %s", name, m)
			}
		}
	}
	if f.Current != "" && !f.Has(f.Current) {
		return fmt.Errorf("current: there is no machine or group %s", f.Current)
	}
	return nil
}

// Machine is the machine of that name.
func (f *File) Machine(name string) (Machine, bool) {
	i := slices.IndexFunc(f.Machines, func(m Machine) bool { return m.Name == name })
	if i < 0 {
		return Machine{}, false
	}
	return f.Machines[i], true
}

// Has is whether there is a machine or a group of that name.
func (f *File) Has(name string) bool {
	_, machine := f.Machine(name)
	_, group := f.Groups[name]
	return machine || group
}

// Put adds a machine, or replaces the one of its name.
func (f *File) Put(m Machine) {
	if i := slices.IndexFunc(f.Machines, func(o Machine) bool { return o.Name == m.Name }); i >= 0 {
		f.Machines[i] = m
		return
	}
	f.Machines = append(f.Machines, m)
}

// Remove takes a machine, also out of groups, or a group away.
func (f *File) Remove(name string) error {
	if !f.Has(name) {
		return fmt.Errorf("there is no machine or group %s", name)
	}
	f.Machines = slices.DeleteFunc(f.Machines, func(m Machine) bool { return m.Name == name })
	delete(f.Groups, name)
	for g, members := range f.Groups {
		if f.Groups[g] = slices.DeleteFunc(members, func(m string) bool { return m == name }); len(f.Groups[g]) == 0 {
			delete(f.Groups, g)
		}
	}
	if f.Current != "" && !f.Has(f.Current) {
		f.Current = ""
	}
	return nil
}

// Names are those of machines and groups.
func (f *File) Names() []string {
	var names []string
	for _, m := range f.Machines {
		names = append(names, m.Name)
	}
	for g := range f.Groups {
		names = append(names, g)
	}
	slices.Sort(names)
	return names
}

// ErrNone is that no machine was named, and none is current.
var ErrNone = errors.New("which machine? Name it with -n NAME, or choose one with: coraclectl contexts use NAME")

// Resolve is which machines names mean: names of machines and groups, and addresses. Without names it is the current
// machine or group, or the only machine that there is. A machine that is not in the file has no fingerprint.
func (f *File) Resolve(names []string) ([]Machine, error) {
	if len(names) == 0 {
		switch {
		case f.Current != "":
			names = []string{f.Current}
		case len(f.Machines) == 1:
			return f.Machines, nil
		default:
			return nil, ErrNone
		}
	}
	var list []Machine
	add := func(m Machine) {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	for _, name := range names {
		if m, ok := f.Machine(name); ok {
			add(m)
			continue
		}
		if members, ok := f.Groups[name]; ok {
			for _, member := range members {
				m, _ := f.Machine(member)
				add(m)
			}
			continue
		}
		m, err := f.byAddress(name)
		if err != nil {
			return nil, err
		}
		add(m)
	}
	return list, nil
}

// byAddress is the machine at an address, which may be one that is known.
func (f *File) byAddress(address string) (Machine, error) {
	want, err := HostPort(address)
	if err != nil {
		return Machine{}, fmt.Errorf("-n %s: there is no machine or group of that name, and %w", strings.TrimSpace(address), err)
	}
	for _, m := range f.Machines {
		if have, err := HostPort(m.Address); err == nil && have == want {
			return m, nil
		}
	}
	return Machine{Name: address, Address: address}, nil
}

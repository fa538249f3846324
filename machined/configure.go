package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"

	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
	"github.com/coracle-os/coracle/machined/update"
)

const (
	conditionConfig = "config"
	conditionFetch  = "config.fetch"

	smallestConfig = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}"
)

// findConfig looks for the machine's config where one can be.
func (d *daemon) findConfig(context.Context) error {
	d.use(d.sources().Find())
	return nil
}

// sources are the places where a config can be.
func (d *daemon) sources() config.Sources {
	d.mu.Lock()
	media := d.media
	d.mu.Unlock()
	s := config.Sources{
		Media:    media,
		URL:      kernelArgument("/proc/cmdline", config.Argument),
		Digest:   kernelArgument("/proc/cmdline", config.DigestArgument),
		Embedded: config.EmbeddedPath,
		Arch:     runtime.GOARCH,
	}
	if d.dataReady {
		s.Data = config.Path
		s.Kept = update.KeptConfig(updateDir, d.release.Version)
	}
	if d.boot.Boot != "" {
		s.Boot = func(writable bool, f func(dir string) error) error { return storage.WithBoot(d.boot, writable, f) }
	}
	return s
}

// use puts what was found in force, or says why nothing is.
func (d *daemon) use(found config.Found) {
	for _, notice := range found.Notices {
		d.log.Warn(notice)
	}
	d.show(found)
	if found.Config == nil {
		d.kube.Dismiss() // nobody knows when there will be one
	} else {
		d.putInForce(apply.Config{Text: found.Text, MachineConfig: *found.Config, From: found.From})
	}
	d.showProblem(found)
}

// putInForce makes c the config that the machine has; one without a text, that it has none.
func (d *daemon) putInForce(c apply.Config) {
	there, from := c.Text != nil, c.From
	d.mu.Lock()
	d.text, d.config, d.configured = c.Text, c.MachineConfig, there
	found := d.found
	d.mu.Unlock()
	if !there {
		from = ""
	}
	d.store.Update(func(m *state.Machine) {
		m.Role, m.Config.Source, m.Config.Digest = string(c.Machine.Role), from, apply.Digest(c.Text)
	})
	d.store.Put(!there, noConfig(found))
	d.store.Put(there && len(c.Machine.API.Keys) == 0, state.Condition{
		ID: "api.keys", Severity: state.Info, Message: "The machine config lists no keys, so nobody can fetch a kubeconfig.",
		Hint: "add yours to machine.api.keys: {name: me, role: admin, key: \"ed25519:...\"}",
	})
	if there {
		d.store.Clear(conditionFetch)
		d.milestone("config", from)
	}
}

// show shows what became of the places where a config can be.
func (d *daemon) show(found config.Found) {
	d.mu.Lock()
	d.found = found
	d.mu.Unlock()
	sources := make([]state.ConfigSource, len(found.Sources))
	for i, source := range found.Sources {
		sources[i] = state.ConfigSource(source)
	}
	d.store.Update(func(m *state.Machine) { m.Config.Sources = sources })
}

// showProblem shows why there is no config, or what is wrong with one that is not in force.
func (d *daemon) showProblem(found config.Found) {
	switch {
	case found.Problem != nil:
		d.store.Set(state.Condition{ID: conditionConfig, Severity: state.Error, Message: problemText(found.Problem, found), Hint: found.Hint})
	case found.Config == nil:
		d.store.Set(noConfig(found))
	}
}

// problemText introduces what is wrong with a config.
func problemText(err error, found config.Found) string {
	text := "The machine config is not valid"
	if _, invalid := errors.AsType[strict.Problems](err); !invalid {
		text = "The machine config cannot be used"
	}
	if found.Config != nil {
		text += "; that of " + found.From + " is in force"
	}
	return text + ":\n" + err.Error()
}

// noConfig is the condition of a machine without a config.
func noConfig(found config.Found) state.Condition {
	c := state.Condition{ID: conditionConfig, Severity: state.Error, Message: "This machine has no config."}
	if found.Fetch != nil {
		c.Message += " It is fetched from " + found.Fetch.String() + " as soon as the network allows."
		c.Severity = state.Info
		return c
	}
	c.Hint = "Push one to it: coraclectl -n ADDRESS --fingerprint SHA256:... apply -f machine.yaml\n" +
		"Or put a file machine.yaml on the BOOT partition (FAT, the one with the folder EFI) from any computer, then start the machine again; or on a volume with the label CORACLE, and attach it. The smallest has three lines:\n" + smallestConfig
	return c
}

// kernelArgument returns the value of an argument of the kernel's command line in file; empty when it is not given.
func kernelArgument(file, name string) string {
	line, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	value := ""
	for field := range strings.FieldsSeq(string(line)) {
		if v, found := strings.CutPrefix(field, name+"="); found {
			value = strings.Trim(v, `"`) // the last one counts, as for the kernel
		}
	}
	return value
}

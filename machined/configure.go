package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/sequence"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

const (
	conditionConfig = "config"
	conditionFetch  = "config.fetch"

	smallestConfig = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}"
)

// findConfig looks for the machine's config where one can be.
func (d *daemon) findConfig(context.Context) error {
	found := d.sources().Find()
	d.use(found)
	if found.Config == nil {
		d.fetch = found.Fetch
	}
	return nil
}

// startFetching fetches the config if it is elsewhere. Not before the phases of the start are over: with the config, some
// of them run again.
func (d *daemon) startFetching() {
	if d.fetch != "" {
		d.loop("fetching the config", 2*time.Minute, func(ctx context.Context, beat func()) { d.fetchConfig(ctx, d.sources(), d.fetch, beat) })
	}
}

func (d *daemon) sources() config.Sources {
	s := config.Sources{URL: kernelArgument("/proc/cmdline", config.Argument)}
	if d.dataReady {
		s.Data = config.Path
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
	if found.Problem != nil {
		d.store.Set(state.Condition{ID: conditionConfig, Severity: state.Error, Message: problemText(found.Problem, found.Config != nil), Hint: found.Hint})
	}
	if found.Config == nil {
		d.kube.Dismiss() // nobody knows when there will be one
		if found.Problem == nil {
			d.store.Set(noConfig(found.Fetch))
		}
		return
	}
	if found.Problem == nil {
		d.store.Clear(conditionConfig)
	}
	d.store.Clear(conditionFetch)
	d.mu.Lock()
	d.config, d.configured = *found.Config, true
	d.mu.Unlock()
	d.store.Update(func(m *state.Machine) {
		m.Role, m.Config = string(found.Config.Machine.Role), found.From
	})
	d.store.Put(len(found.Config.Machine.API.Keys) == 0, state.Condition{
		ID: "api.keys", Severity: state.Info, Message: "The machine config lists no keys, so nobody can fetch a kubeconfig.",
		Hint: "add yours to machine.api.keys: {name: me, role: admin, key: \"ed25519:...\"}",
	})
	d.milestone("config", found.From)
}

// problemText introduces what is wrong with a config.
func problemText(err error, another bool) string {
	text := "The machine config is not valid"
	if _, invalid := errors.AsType[strict.Problems](err); !invalid {
		text = "The machine config cannot be used"
	}
	if another {
		text += "; the one from before stays in force"
	}
	return text + ":\n" + err.Error()
}

// noConfig is the condition of a machine without a config.
func noConfig(fetch string) state.Condition {
	c := state.Condition{ID: conditionConfig, Severity: state.Error, Message: "This machine has no config."}
	if fetch != "" {
		c.Message += " It is fetched from " + config.ShownURL(fetch) + " as soon as the network allows."
		c.Severity = state.Info
		return c
	}
	c.Hint = "Put a file machine.yaml on the BOOT partition (FAT, the one with the folder EFI) from any computer, then start the machine again. The smallest has three lines:\n" + smallestConfig
	return c
}

// Pauses between tries to fetch a config.
const (
	firstFetchPause = 2 * time.Second
	longFetchPause  = time.Minute
)

// fetchConfig fetches the config that the kernel argument names, until it has it.
func (d *daemon) fetchConfig(ctx context.Context, sources config.Sources, url string, beat func()) {
	for pause := firstFetchPause; ; pause = min(2*pause, longFetchPause) {
		beat()
		text, err := config.Fetch(ctx, url)
		var found config.Found
		if err == nil {
			err = sources.Import(&found, config.ShownURL(url), text)
		}
		if err == nil {
			d.use(found)
			break
		}
		d.store.Set(state.Condition{ID: conditionFetch, Severity: state.Warning, Message: err.Error(), Hint: "it is tried again by itself; check the network and the kernel argument " + config.Argument})
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
	if err := sequence.Run(ctx, d, reconfigure, d.reportPhase); err != nil {
		panic(err) // the list is wrong, which the tests find
	}
	for tick := time.NewTicker(time.Minute); ; {
		beat()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/init/control"
	kube "github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/effect"
	"github.com/coracle-os/coracle/machined/install"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

// owned is the machine as an [apply.Applier] sees it.
type owned struct{ *daemon }

func (d owned) Current() apply.Config {
	m, _ := d.store.Get()
	d.mu.Lock()
	defer d.mu.Unlock()
	return apply.Config{Text: d.text, MachineConfig: d.config, From: m.Config.Source}
}

// Effects names the parts that take the config up. What machine.install means for a disk is said with it.
func (d owned) Effects(c types.MachineConfig, changed []string) []string {
	names := effect.Names(effect.For(effects, changed))
	if !slices.ContainsFunc(changed, concernsInstall) || c.Machine.Install == nil {
		return names
	}
	if plan := install.Decide(d.situation(c.Machine.Install)).Plan(c.Machine.Install.Then); plan != "" {
		for i, name := range names {
			if name == effectInstall {
				names[i] = name + ": " + plan
			}
		}
	}
	return names
}

func (d owned) Refusals(c types.MachineConfig, changed []string) []string {
	return d.installRefusals(c, changed)
}

// Use puts a config in force. The first one concerns every part of the machine, as does one that ends safe mode.
func (d owned) Use(ctx context.Context, c apply.Config, changed []string) error {
	old := d.Current()
	if old.Text == nil || c.Text == nil || d.boots.Safe() {
		changed = allFields
	}
	return effect.Apply(ctx, d.daemon, effect.For(effects, changed),
		func() { d.putInForce(c) }, func() { d.putInForce(old) })
}

func (d owned) Reboot(by string) error { return d.power(control.Reboot, by) }

func (d owned) Cluster() bool {
	for _, path := range []string{"/db", "/agent/node.json"} { // of a server, and of an agent that has joined
		if _, err := os.Stat(kube.StateDir + path); err == nil {
			return true
		}
	}
	return false
}

// files are the configs on DATA.
func (d *daemon) files() (config.Files, error) {
	if !d.dataReady {
		return config.Files{}, errors.New("DATA cannot be used; see the status of the machine")
	}
	return config.Files{Dir: filepath.Dir(config.Path)}, nil
}

// holdsConfig is whether DATA has a config, valid or not.
func (d *daemon) holdsConfig() bool {
	files, err := d.files()
	if err != nil {
		return false
	}
	_, err = files.InForce()
	return !errors.Is(err, fs.ErrNotExist)
}

// showPending shows which configs await a decision.
func (d *daemon) showPending(s apply.Status) {
	d.store.Update(func(m *state.Machine) { m.Config.TryUntil, m.Config.StagedDigest = s.TryUntil, s.StagedDigest })
}

// bootedPath is a file that is there once a config for this boot has been looked for, as machined may start again.
const bootedPath = "/run/coracle/config-taken"

// takeStaged puts a config that was kept for this boot in force.
func (d *daemon) takeStaged(context.Context) error {
	files, err := d.files()
	if err != nil {
		return nil // said
	}
	defer d.configs.Tell()
	if _, err := os.Stat(bootedPath); err == nil {
		return nil
	}
	took, err := files.TakeStaged(func(text []byte) error {
		_, err := config.Parse("machine.yaml.staged", text)
		return err
	})
	if took {
		d.log.Warn("the config that was staged for this boot is in force")
	}
	if err != nil {
		d.store.Set(state.Condition{
			ID: "config.staged", Severity: state.Warning, Message: fmt.Sprintf("The config that was staged for this boot is not used:\n%v", err),
			Hint: "apply a corrected one, or cancel it",
		})
	}
	return os.WriteFile(bootedPath, nil, 0o600)
}

// reset forgets the machine's config, or all of DATA, and ends in a reboot.
func (d *daemon) reset(_ context.Context, o api.ResetOptions) error {
	files, err := d.files()
	d.configs.Alone(func() { // a config that is being kept would be there again
		switch {
		case o.Wipe:
			err = storage.MakeAnew(d.boot)
		case err == nil:
			err = errors.Join(files.Remove(), os.RemoveAll(kube.AgentDir)) // an agent without a config is in no cluster
		}
	})
	if err != nil {
		return err
	}
	message := control.Reboot
	if o.Shutdown {
		message = control.Poweroff
	}
	return d.power(message, o.By)
}

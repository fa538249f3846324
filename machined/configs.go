package main

import (
	"context"

	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config"
)

// configs are the machine's configs as the API changes them.
type configs struct {
	machine owned
	*apply.Applier
}

func newConfigs(d *daemon) configs {
	machine := owned{d}
	return configs{machine, &apply.Applier{Machine: machine, Files: d.files, Changed: d.showPending, Log: d.log}}
}

// GetConfig gives the config in force and the one for the next boot.
func (c configs) GetConfig(_ context.Context, secrets bool) (api.ConfigFile, error) {
	text := c.machine.Current().Text
	f := api.ConfigFile{YAML: text, Digest: apply.Digest(text)}
	if files, err := c.machine.files(); err == nil {
		if f.Staged, err = files.Staged(); err != nil {
			return f, err
		}
	}
	if !secrets {
		f.YAML, f.Staged = config.Redact(f.YAML), config.Redact(f.Staged)
	}
	return f, nil
}

// errOnTrial is why no config is applied during a trial: the version before, which may come back, has to understand it.
var errOnTrial = &apply.Refused{Reasons: []string{"the version that runs is on trial; apply it when that is confirmed or rolled back, see `coraclectl slots`"}}

// Apply applies a config, but not while a version is on trial.
func (c configs) Apply(ctx context.Context, r apply.Request) (apply.Result, error) {
	if until, _ := c.machine.updater.Brief(); !until.IsZero() && !r.DryRun {
		return apply.Result{}, errOnTrial
	}
	return c.Applier.Apply(ctx, r)
}

// Patch merges the request's text into the config in force, and applies what that gives.
func (c configs) Patch(ctx context.Context, r apply.Request) (apply.Result, error) {
	current := c.machine.Current().Text
	if current == nil {
		return apply.Result{}, &apply.Refused{Reasons: []string{"the machine has no config that could be patched; apply a whole one"}}
	}
	whole, err := config.Patch(current, r.Text)
	if err != nil {
		return apply.Result{}, err
	}
	r.Text = whole
	if r.IfDigest == "" {
		r.IfDigest = apply.Digest(current) // another change may come between
	}
	return c.Apply(ctx, r)
}

package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// applyFlags are how a config is to take effect.
type applyFlags struct {
	mode   string
	tryFor time.Duration
	dryRun bool
}

var applyModes = map[string]machinepb.ApplyMode{
	"auto": machinepb.ApplyMode_APPLY_MODE_AUTO, "no-reboot": machinepb.ApplyMode_APPLY_MODE_NO_REBOOT,
	"staged": machinepb.ApplyMode_APPLY_MODE_STAGED, "try": machinepb.ApplyMode_APPLY_MODE_TRY,
}

const modeHelp = `The mode says how it takes effect:

  auto       at once where that is possible, else the machine reboots
  no-reboot  at once, or not at all
  staged     at the next boot
  try        as no-reboot, and taken back after --try-for, at a reboot and after a power cut, unless it is confirmed`

func (f *applyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.mode, "mode", "auto", "how it takes effect: auto, no-reboot, staged or try")
	c.Flags().DurationVar(&f.tryFor, "try-for", time.Minute, "with --mode try: until it is taken back")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would change, and what would be done")
	must(c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"auto", "no-reboot", "staged", "try"}, cobra.ShellCompDirectiveNoFileComp)))
}

// parse checks the flags of c. tryFor is unset unless a config is tried.
func (f *applyFlags) parse(c *cobra.Command) (mode machinepb.ApplyMode, tryFor *durationpb.Duration, err error) {
	mode, ok := applyModes[f.mode]
	trying := mode == machinepb.ApplyMode_APPLY_MODE_TRY
	switch {
	case !ok:
		return mode, nil, usagef("--mode %s: there are auto, no-reboot, staged and try", f.mode)
	case !trying && c.Flags().Changed("try-for"):
		return mode, nil, usagef("--try-for is for --mode try")
	case f.tryFor < time.Second:
		return mode, nil, usagef("--try-for %s is too short to confirm it", f.tryFor)
	case trying:
		return mode, durationpb.New(f.tryFor), nil
	}
	return mode, nil, nil
}

func (a *app) applyCommand() *cobra.Command {
	var flags applyFlags
	var file string
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make a config a machine's",
		Long: `Makes the config in FILE the machine's, and shows what changed and what was done. - is standard input.
` + modeHelp + `

A machine that has no config yet takes one from whoever knows its fingerprint, which its console shows. It is remembered.`,
		Example: `  coraclectl -n 192.0.2.7 --fingerprint SHA256:… apply -f machine.yaml
  coraclectl -n edge-1 apply -f machine.yaml --dry-run
  coraclectl -n edge-1 apply -f machine.yaml --mode try --try-for 2m
  coraclectl -n edge-1 apply confirm`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			mode, tryFor, err := flags.parse(c)
			if err != nil {
				return err
			}
			if file == "" {
				return usagef("which config? Give it with -f FILE")
			}
			text, err := a.readFile(file)
			if err != nil {
				return err
			}
			r, err := one(c.Context(), a, func(ctx context.Context, m *machine) (*machinepb.ApplyConfigResponse, error) {
				answer, err := patient(a, ctx, m, m.ApplyConfig, &machinepb.ApplyConfigRequest{Config: text, Mode: mode, DryRun: flags.dryRun, TryFor: tryFor})
				if name := nameIn(text); err == nil && m.isNew && !flags.dryRun && name != "" {
					m.Name = name
				}
				return answer, err
			})
			if err != nil {
				return err
			}
			return a.applied(c.Context(), []result[*machinepb.ApplyConfigResponse]{r}, flags.dryRun)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the config")
	flags.add(c)
	c.AddCommand(a.confirmCommand(), a.cancelCommand())
	return c
}

// nameIn is the machine's name in a config.
func nameIn(text []byte) string {
	var c struct {
		Machine struct{ Name string }
	}
	if yaml.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.Machine.Name
}

// applied shows what machines did, and asks whether a config that is tried is to stay.
func (a *app) applied(ctx context.Context, results []result[*machinepb.ApplyConfigResponse], dryRun bool) error {
	several := a.several()
	if !a.format.IsTable() {
		if err := writeKeyed(a, several, results); err != nil {
			return err
		}
	}
	var trying []string
	for _, r := range results {
		if a.format.IsTable() {
			if several {
				fmt.Fprintln(a.Out, a.colors.Bold(r.name))
			}
			if err := a.writeChanges(r.value, dryRun); err != nil {
				return err
			}
		}
		if r.value.TryFor != nil && !dryRun {
			trying = append(trying, fmt.Sprintf("%s takes it back in %s", r.name, output.Span(r.value.TryFor.AsDuration())))
		} else if r.value.Reboot && !dryRun {
			a.say("%s reboots; wait for it with: coraclectl -n %s health --wait", r.name, r.name)
		}
	}
	if trying == nil {
		return nil
	}
	for _, line := range trying {
		a.say("%s", line)
	}
	keep, err := a.confirm("Keep it?")
	switch {
	case err != nil:
		a.say("-> keep it with: coraclectl apply confirm, or take it back at once with: coraclectl apply cancel")
		return nil
	case keep:
		return a.confirmAll(ctx)
	}
	return a.cancelAll(ctx)
}

// writeChanges says in words what changed, and what was done.
func (a *app) writeChanges(r *machinepb.ApplyConfigResponse, dryRun bool) error {
	if len(r.Changes) == 0 {
		fmt.Fprintln(a.Out, "nothing changes")
	} else {
		g := output.Grid{Columns: output.Columns("FIELD", "BEFORE", "AFTER", "TAKES EFFECT")}
		for _, c := range r.Changes {
			g.Add(c.Path, first(c.Before, "-"), first(c.After, "-"), c.TakesEffect)
		}
		if err := g.Write(a.Out, a.format, a.colors); err != nil {
			return err
		}
	}
	title := "done:"
	if dryRun {
		title = "would be done:"
	}
	for i, e := range r.Effects {
		if i == 0 {
			fmt.Fprintln(a.Out, a.colors.Bold(title))
		}
		fmt.Fprintln(a.Out, "  "+output.Clean(e))
	}
	return nil
}

func (a *app) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "confirm",
		Short:   "Keep a config that is tried",
		Long:    "Keeps the config that was applied with --mode try.",
		Example: "  coraclectl -n edge-1 apply confirm",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.confirmAll(c.Context()) },
	}
}

func (a *app) confirmAll(ctx context.Context) error {
	_, err := each(ctx, a, func(ctx context.Context, m *machine) (struct{}, error) {
		_, err := unary(a, ctx, m.ConfirmConfig, &machinepb.ConfirmConfigRequest{})
		if err == nil {
			a.say("%s keeps it", m.Name)
		}
		return struct{}{}, err
	})
	return err
}

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel",
		Short:   "Take back a config that is tried or staged",
		Long:    "Takes back the config that was applied with --mode try, or else the one that is for the next boot.",
		Example: "  coraclectl -n edge-1 apply cancel",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.cancelAll(c.Context()) },
	}
}

func (a *app) cancelAll(ctx context.Context) error {
	_, err := each(ctx, a, func(ctx context.Context, m *machine) (struct{}, error) {
		answer, err := patient(a, ctx, m, m.CancelConfig, &machinepb.CancelConfigRequest{})
		if err == nil {
			a.say("%s took back the config that was %s", m.Name, map[string]string{"try": "tried", "staged": "for the next boot"}[answer.Cancelled])
		}
		return struct{}{}, err
	})
	return err
}

package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// awaitTrial waits until a version that was installed is confirmed, or rolled back.
func (a *app) awaitTrial(ctx context.Context, m *machine, r *machinepb.UpgradeResult, before *machinepb.Status, noWait bool, limit time.Duration) error {
	switch {
	case !r.Reboot:
		a.say("%s: it is tried at the next boot: coraclectl -n %s reboot", m.Name, m.Name)
		return nil
	case noWait:
		a.say("%s restarts; coraclectl -n %s slots says how the trial goes", m.Name, m.Name)
		return nil
	}
	a.say("%s restarts", m.Name)
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("version %s is neither confirmed nor rolled back after %s; coraclectl -n %s slots says more", r.Version, output.Span(limit), m.Name))
	defer cancel()
	if err := a.waitForBoot(ctx, m, before); err != nil {
		return causeOf(ctx, err)
	}
	said := false
	for {
		u, err := unary(a, ctx, m.GetUpgrade, &machinepb.GetUpgradeRequest{})
		if err == nil {
			switch over, reason := verdict(u, r); {
			case over && reason == "":
				a.say("%s: version %s is confirmed, %s after the restart", m.Name, r.Version, output.Span(time.Since(began)))
				return nil
			case over:
				return fmt.Errorf("version %s was rolled back: %s", r.Version, reason)
			}
			if u.TrialRemaining != nil && !said {
				said = true
				a.say("%s: version %s is on trial, for %s at most", m.Name, r.Version, output.Span(u.TrialRemaining.AsDuration()))
			}
		} else if final(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retry):
		}
	}
}

func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// verdict is how the trial of a version ended, if it has: with a reason, it was rolled back.
func verdict(u *machinepb.GetUpgradeResponse, r *machinepb.UpgradeResult) (over bool, reason string) {
	i := slices.IndexFunc(u.Slots, func(s *machinepb.Slot) bool { return s.State == "running" || s.State == "trial" })
	switch {
	case i < 0 || u.TrialRemaining != nil:
		return false, ""
	case u.Slots[i].Name == r.Slot && u.Slots[i].Active:
		return true, ""
	case u.Slots[i].Name == r.Slot:
		return false, ""
	case u.Last.GetResult() == "rolled back" && u.Last.GetDigest() == r.Digest:
		return true, u.Last.Reason
	}
	return true, "the machine runs the version before; coraclectl slots says more"
}

func (a *app) rollbackCommand() *cobra.Command {
	var stage, noWait bool
	var waitFor time.Duration
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to the version in the other slot",
		Long: `Has machines restart into the version in their other slot, as long as that is whole. It is on trial there, as after an upgrade:
when it does not come up, the version that runs now does again.`,
		Example: "  coraclectl -n edge-1 rollback",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := each(c.Context(), a, func(ctx context.Context, m *machine) (*machinepb.UpgradeResult, error) {
				before, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{})
				if err != nil {
					return nil, err
				}
				answer, err := patient(a, ctx, m, m.Rollback, &machinepb.RollbackRequest{Stage: stage})
				if err != nil {
					return nil, err
				}
				a.say("%s: goes back to version %s in slot %s", m.Name, answer.Result.Version, answer.Result.Slot)
				return answer.Result, a.awaitTrial(ctx, m, answer.Result, before.Status, noWait, waitFor)
			})
			return firstError(a.writeResults(results), err)
		},
	}
	c.Flags().BoolVar(&stage, "stage", false, "do not restart: the version is tried at the next boot")
	c.Flags().BoolVar(&noWait, "no-wait", false, "return when the machine restarts")
	c.Flags().DurationVar(&waitFor, "wait-for", 30*time.Minute, "how long the version may take to be confirmed")
	return c
}

func (a *app) slotsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "slots",
		Short: "Show the versions that machines have, and how the last upgrade went",
		Long: `Shows what is in the two slots of a machine, whether a version is on trial, how the last upgrade ended, and which artifacts were
rolled back and are not taken again.`,
		Example: "  coraclectl -n edge-1 slots",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.GetUpgradeResponse, error) {
				return unary(a, ctx, m.GetUpgrade, &machinepb.GetUpgradeRequest{})
			}
			return show(c.Context(), a, call, slotSections)
		},
	}
}

// slotSections are the slots, and what there is to say of upgrades.
func slotSections(u *machinepb.GetUpgradeResponse) []section {
	slots := output.Grid{Columns: output.Columns("SLOT", "VERSION", "STATE", "BOOTED", "KUBERNETES+", "DIGEST+", "REASON")}
	for _, s := range u.Slots {
		slots.Add(s.Name, s.Version, s.State, map[bool]string{true: "yes"}[s.Active], s.Kubernetes, s.Digest, s.Reason)
	}
	all := []section{{"Slots", slots}}
	more := output.Grid{Columns: output.Columns("UPGRADE", "")}
	if u.TrialRemaining != nil {
		more.Add("on trial", "rolled back in "+output.Span(u.TrialRemaining.AsDuration())+" unless it gets healthy")
	}
	if p := u.Progress; p != nil {
		more.Add("under way", p.Step+" "+share(p.DoneBytes, p.TotalBytes))
	}
	if s := u.Scheduled; s != nil {
		more.Add("scheduled", s.Source+" at "+s.At.AsTime().Local().Format(time.DateTime)+", by "+s.By)
	}
	if l := u.Last; l != nil {
		text := "version " + l.Version + " " + l.Result + " at " + l.Time.AsTime().Local().Format(time.DateTime)
		if l.Reason != "" {
			text += ": " + l.Reason
		}
		more.Add("last", text)
	}
	for _, r := range u.Refused {
		more.Add("refused", "version "+r.Version+" ("+r.Digest[:min(12, len(r.Digest))]+"): "+r.Reason)
	}
	if len(more.Rows) > 0 {
		all = append(all, section{"Upgrades", more})
	}
	return all
}

package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) rebootCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "reboot",
		Short: "Reboot machines, in order",
		Long: `Shuts machines down in order, pods first, and starts them again. With --wait it returns when all of them answer again, which
is before their pods run: health --wait waits for that.`,
		Example: `  coraclectl -n edge-1 reboot
  coraclectl -n plant reboot --wait && coraclectl -n plant health --wait`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := each(c.Context(), a, func(ctx context.Context, m *machine) (struct{}, error) {
				before, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{})
				if err != nil {
					return struct{}{}, err
				}
				if _, err := unary(a, ctx, m.Reboot, &machinepb.RebootRequest{}); err != nil {
					return struct{}{}, err
				}
				a.say("%s shuts down", m.Name)
				if !wait {
					return struct{}{}, nil
				}
				begin := time.Now()
				waiting, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				if err := a.waitForBoot(waiting, m, before.Status); err != nil {
					return struct{}{}, err
				}
				a.say("%s is back after %s", m.Name, output.Span(time.Since(begin)))
				return struct{}{}, nil
			})
			return err
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "return when they answer again")
	c.Flags().DurationVar(&timeout, "wait-for", 10*time.Minute, "with --wait: how long")
	return c
}

// waitForBoot returns when a machine that was asked to reboot answers after that.
func (a *app) waitForBoot(ctx context.Context, m *machine, before *machinepb.Status) error {
	for {
		now, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{})
		switch {
		case err == nil && booted(before, now.Status):
			return nil
		case err != nil && final(err):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
}

// booted is whether a machine has started since. When its clock is set, the moment it started moves too, but not one that
// shuts down: it says so until it is gone.
func booted(before, now *machinepb.Status) bool {
	return now.GetShuttingDown() == "" && now.GetStarted().AsTime().Sub(before.GetStarted().AsTime()) > time.Second
}

func (a *app) shutdownCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "shutdown",
		Short:   "Power machines off, in order",
		Long:    "Shuts machines down in order, pods first, and powers them off. Somebody has to be there to start them again.",
		Example: "  coraclectl -n edge-1 shutdown",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := each(c.Context(), a, func(ctx context.Context, m *machine) (struct{}, error) {
				_, err := unary(a, ctx, m.Shutdown, &machinepb.ShutdownRequest{})
				if err == nil {
					a.say("%s shuts down", m.Name)
				}
				return struct{}{}, err
			})
			return err
		},
	}
}

func (a *app) resetCommand() *cobra.Command {
	var wipe, keep, shutdown bool
	c := &cobra.Command{
		Use:   "reset --wipe-data|--keep-data NAME",
		Short: "Take a machine's config and identity away",
		Long: `Takes a machine's config, its key and the state of the cluster away, and reboots it into maintenance mode. --wipe-data makes
the DATA partition anew, so that everything that pods stored is gone too; --keep-data leaves volumes. NAME is the machine's,
to show that it is meant. After that the machine has another key.`,
		Example: "  coraclectl -n edge-1 reset --keep-data edge-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if wipe == keep {
				return usagef("what is to become of DATA: --wipe-data or --keep-data?")
			}
			r, err := one(c.Context(), a, func(ctx context.Context, m *machine) (*machine, error) {
				_, err := patient(a, ctx, m, m.Reset, &machinepb.ResetRequest{Name: args[0], WipeData: wipe, Shutdown: shutdown})
				return m, err
			})
			if err != nil {
				return err
			}
			a.say("%s is reset. It will have another key: read its fingerprint on the console, then: coraclectl contexts add %s %s --fingerprint SHA256:…",
				r.name, r.name, r.value.Address)
			return nil
		},
	}
	c.Flags().BoolVar(&wipe, "wipe-data", false, "make DATA anew: volumes are lost")
	c.Flags().BoolVar(&keep, "keep-data", false, "leave volumes")
	c.Flags().BoolVar(&shutdown, "shutdown", false, "power off rather than reboot")
	return c
}

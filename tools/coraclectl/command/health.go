package command

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// retry is the pause before a machine that does not answer is tried again.
const retry = 2 * time.Second

func (a *app) healthCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Check that machines are healthy, or wait until they are",
		Long: `Shows the checks that a machine must pass to be healthy, and exits with 5 when one does not. With --wait it waits until all
of all machines pass, also while a machine does not answer because it boots, for as long as --timeout says.`,
		Example: `  coraclectl -n edge-1 health
  coraclectl -n plant reboot && coraclectl -n plant health --wait --timeout 10m`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := c.Context(), func() {}
			if wait {
				ctx, cancel = context.WithTimeout(ctx, timeout)
			} else if c.Flags().Changed("timeout") {
				a.flags.timeout = timeout
			}
			defer cancel()
			var mu sync.Mutex
			healthy := true
			var late error
			call := func(_ context.Context, m *machine) (checks, error) {
				list, err := a.checks(ctx, m, wait)
				mu.Lock()
				defer mu.Unlock()
				if len(list) == 0 && errors.Is(err, context.DeadlineExceeded) {
					late = err
					list, err = checks{{Name: "answer", Message: "does not answer"}}, nil
				} else if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
					err = nil // what is not ok says enough
				}
				healthy = healthy && !slices.ContainsFunc(list, func(c *machinepb.HealthCheck) bool { return !c.Ok })
				return list, err
			}
			err := show(c.Context(), a, call, func(list checks) []section {
				g := output.Grid{Columns: output.Columns("CHECK", "OK", "MESSAGE")}
				for _, c := range list {
					g.Add(c.Name, map[bool]string{true: "ok", false: "not ok"}[c.Ok], c.Message)
				}
				return []section{{"", g}}
			})
			switch {
			case err != nil:
				return err
			case !healthy && !wait && late != nil:
				return late
			case !healthy && wait:
				return codeError{errors.New("not healthy after " + output.Span(timeout)), exitUnhealthy}
			case !healthy:
				return codeError{errors.New("not healthy; coraclectl status says more, and health --wait waits"), exitUnhealthy}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until all checks pass")
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "with --wait: how long; else how long a machine may take to answer (15s)")
	return c
}

// checks are the health checks of a machine.
type checks []*machinepb.HealthCheck

// MarshalJSON writes them as messages of the API.
func (list checks) MarshalJSON() ([]byte, error) { return marshalMessages(list) }

// merge puts changed checks in the place of those of their names.
func (list checks) merge(changed []*machinepb.HealthCheck) checks {
	for _, c := range changed {
		if i := slices.IndexFunc(list, func(o *machinepb.HealthCheck) bool { return o.Name == c.Name }); i >= 0 {
			list[i] = c
		} else {
			list = append(list, c)
		}
	}
	return list
}

// checks gets the checks of a machine: as they are, or when all are ok. When ctx ends before, it is the last that
// were heard, and the error of ctx.
func (a *app) checks(ctx context.Context, m *machine, wait bool) (checks, error) {
	var list checks
	for {
		err := stream(a, ctx, m, m.WatchHealth, &machinepb.WatchHealthRequest{UntilHealthy: wait}, func(r *machinepb.WatchHealthResponse) error {
			for _, c := range r.Checks {
				if wait && !c.Ok {
					a.say("%s: %s: %s", m.Name, c.Name, first(c.Message, "not ok"))
				}
			}
			list = list.merge(r.Checks)
			if !wait {
				return errEnough
			}
			return nil
		})
		sick := slices.ContainsFunc(list, func(c *machinepb.HealthCheck) bool { return !c.Ok })
		switch {
		case ctx.Err() != nil:
			return list, ctx.Err()
		case !wait, err == nil && !sick, err != nil && final(err):
			return list, err
		}
		select {
		case <-ctx.Done():
			return list, ctx.Err()
		case <-time.After(retry):
		}
	}
}

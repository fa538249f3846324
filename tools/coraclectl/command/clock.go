package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) timeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "time",
		Short:   "Show the clock of machines, and what it is set from",
		Long:    "Shows the clock of a machine, how far it is from the one here, and what it is set from.",
		Example: "  coraclectl -n plant time",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*clock, error) {
				r, err := unary(a, ctx, m.GetTime, &machinepb.GetTimeRequest{})
				if err != nil {
					return nil, err
				}
				return &clock{r, r.Now.AsTime().Sub(time.Now())}, nil
			}
			return show(c.Context(), a, call, func(r *clock) []section {
				g := output.Grid{Columns: output.Columns("TIME", "FROM HERE", "STATE", "SERVERS")}
				g.Add(output.Time(r.Now.AsTime()), offset(r.difference), timeWord(r.Status), strings.Join(r.Servers, " "))
				return []section{{"", g}}
			})
		},
	}
}

// clock is that of a machine, and how far it was from ours when it was read.
type clock struct {
	*machinepb.GetTimeResponse
	difference time.Duration
}

// offset is a difference to the clock here, to a tenth of a second, which is about what an answer takes.
func offset(d time.Duration) string { return fmt.Sprintf("%+.1fs", d.Seconds()) }

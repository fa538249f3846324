package command

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	var since string
	var tail int32
	c := &cobra.Command{
		Use:   "events",
		Short: "Show what happened on machines",
		Long: `Shows what happened on a machine: conditions, configs, restarts, and who changed something. The last few hundred are kept.
With -f it goes on with those that come; -o json then writes one object a line.`,
		Example: `  coraclectl -n edge-1 events --since 1h
  coraclectl -n plant events -f`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := parseSince(since, time.Now())
			if err != nil {
				return err
			}
			if tail < 0 {
				return usagef("--tail is negative")
			}
			if follow && a.format == output.YAML {
				return usagef("-f goes with -o table or json")
			}
			request := &machinepb.GetEventsRequest{Follow: follow, Tail: tail, Since: from}
			if follow {
				return a.followEvents(c.Context(), request)
			}
			call := func(ctx context.Context, m *machine) (events, error) {
				list := events{}
				err := stream(a, ctx, m, m.GetEvents, request, func(r *machinepb.GetEventsResponse) error {
					list = append(list, r.Event)
					return nil
				})
				return list, err
			}
			return show(c.Context(), a, call, func(list events) []section {
				g := output.Grid{Columns: output.Columns("TIME", "SEVERITY", "KIND", "WHAT", "BY")}
				for _, e := range list {
					g.Add(output.Time(e.GetTime().AsTime()), e.GetSeverity(), e.GetKind(), e.GetMessage(), e.GetBy())
				}
				return []section{{"", g}}
			})
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those that come")
	c.Flags().StringVar(&since, "since", "", "from then on: a time span such as 10m, or a time such as 2026-11-26T07:30:00Z")
	c.Flags().Int32Var(&tail, "tail", 0, "at most so many of those that are there (0: all)")
	return c
}

// events are those of a machine.
type events []*machinepb.Event

// MarshalJSON writes them as messages of the API.
func (list events) MarshalJSON() ([]byte, error) { return marshalMessages(list) }

// followEvents writes events as they come, a line each.
func (a *app) followEvents(ctx context.Context, request *machinepb.GetEventsRequest) error {
	_, err := each(ctx, a, func(ctx context.Context, m *machine) (struct{}, error) {
		return struct{}{}, stream(a, ctx, m, m.GetEvents, request, func(r *machinepb.GetEventsResponse) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			e := r.GetEvent()
			if a.format == output.JSON {
				event, err := output.Value(e)
				if err != nil {
					return err
				}
				return output.Line(a.Out, struct {
					Machine string          `json:"machine"`
					Event   json.RawMessage `json:"event"`
				}{m.Name, event})
			}
			prefix, by := "", ""
			if a.several() {
				prefix = "[" + m.Name + "] "
			}
			if e.GetBy() != "" {
				by = " (by " + e.GetBy() + ")"
			}
			_, err := fmt.Fprintf(a.Out, "%s%s %s %s: %s\n", prefix, output.Time(e.GetTime().AsTime()), e.GetSeverity(), e.GetKind(), output.Clean(e.GetMessage()+by))
			return err
		})
	})
	return err
}

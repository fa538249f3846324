package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) servicesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "services",
		Short: "Show the services of machines, and restart them",
		Long:  "Shows the programs that a machine runs. logs SERVICE shows what they say.",
		Example: `  coraclectl -n edge-1 services
  coraclectl -n edge-1 services restart kube`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.ListServicesResponse, error) {
				return unary(a, ctx, m.ListServices, &machinepb.ListServicesRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.ListServicesResponse) []section {
				g := output.Grid{Columns: output.Columns("SERVICE", "STATE", ">PID", "SINCE", ">RESTARTS", ">MEMORY", "LAST EXIT")}
				for _, s := range r.Services {
					g.Add(s.Name, s.State, number(s.Pid), output.Time(s.Since.AsTime()), fmt.Sprint(s.Restarts), size(s.MemoryBytes), s.Message)
				}
				return []section{{"", g}}
			})
		},
	}
	c.AddCommand(&cobra.Command{
		Use:               "restart SERVICE",
		Short:             "Start a service again",
		Long:              "Stops a service of the machine and starts it again. Pods keep running.",
		Example:           "  coraclectl -n edge-1 services restart kube",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"kube", "machined"}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := each(c.Context(), a, func(ctx context.Context, m *machine) (struct{}, error) {
				_, err := patient(a, ctx, m, m.RestartService, &machinepb.RestartServiceRequest{Name: args[0]})
				if err == nil {
					a.say("%s restarts %s", m.Name, args[0])
				}
				return struct{}{}, err
			})
			return err
		},
	})
	return c
}

// number is a number of which 0 says nothing.
func number[N int32 | uint32 | int | uint64](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// size is a number of bytes of which 0 says nothing.
func size(n uint64) string {
	if n == 0 {
		return ""
	}
	return output.Bytes(n)
}

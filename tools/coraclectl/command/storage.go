package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) disksCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "disks",
		Short:   "Show the disks of machines, with partitions",
		Long:    "Shows the disks of a machine and their partitions.",
		Example: "  coraclectl -n edge-1 disks",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.ListDisksResponse, error) {
				return unary(a, ctx, m.ListDisks, &machinepb.ListDisksRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.ListDisksResponse) []section {
				g := output.Grid{Columns: output.Columns("DEVICE", ">SIZE", "LABEL", "MOUNTED AT", "TRANSPORT", "MODEL", "SERIAL+", "WHAT")}
				for _, d := range r.Disks {
					var what []string
					for _, is := range []struct {
						so   bool
						word string
					}{{d.Boot, "booted from"}, {d.Removable, "removable"}, {d.ReadOnly, "read-only"}, {d.Rotational, "rotates"}} {
						if is.so {
							what = append(what, is.word)
						}
					}
					g.Add(d.Path, output.Bytes(d.SizeBytes), "", "", d.Transport, d.Model, d.Serial, strings.Join(what, ", "))
					for _, p := range d.Partitions {
						g.Add("  "+p.Name, output.Bytes(p.SizeBytes), p.Label, p.MountedAt, "", "", "", "")
					}
				}
				return []section{{"", g}}
			})
		},
	}
}

func (a *app) mountsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "mounts",
		Short:   "Show what is mounted on machines",
		Long:    "Shows the file systems that are mounted, with their sizes where they have one. -o wide has the options.",
		Example: "  coraclectl -n edge-1 mounts",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.ListMountsResponse, error) {
				return unary(a, ctx, m.ListMounts, &machinepb.ListMountsRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.ListMountsResponse) []section {
				g := output.Grid{Columns: output.Columns("TARGET", "SOURCE", "TYPE", ">SIZE", ">AVAILABLE", "OPTIONS+")}
				for _, m := range r.Mounts {
					available := ""
					if m.TotalBytes > 0 {
						available = output.Bytes(m.AvailableBytes)
					}
					g.Add(m.Target, m.Source, m.Type, size(m.TotalBytes), available, m.Options)
				}
				return []section{{"", g}}
			})
		},
	}
}

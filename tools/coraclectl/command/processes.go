package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// orders are what processes can be sorted by.
var orders = map[string]func(a, b *machinepb.Process) int{
	"memory": func(a, b *machinepb.Process) int { return cmp.Compare(b.ResidentBytes, a.ResidentBytes) },
	"cpu": func(a, b *machinepb.Process) int {
		return cmp.Compare(b.CpuTime.AsDuration(), a.CpuTime.AsDuration())
	},
	"pid": func(a, b *machinepb.Process) int { return cmp.Compare(a.Pid, b.Pid) },
}

func (a *app) psCommand() *cobra.Command {
	var order string
	c := &cobra.Command{
		Use:   "ps",
		Short: "Show the processes of machines",
		Long:  "Shows the processes of a machine, those of pods too, the largest first. -o wide has their arguments, which an operator may see.",
		Example: `  coraclectl -n edge-1 ps
  coraclectl -n edge-1 ps --sort cpu -o wide`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			compare, ok := orders[order]
			if !ok {
				return usagef("--sort %s: there are memory, cpu and pid", order)
			}
			call := func(ctx context.Context, m *machine) (*machinepb.ListProcessesResponse, error) {
				r, err := unary(a, ctx, m.ListProcesses, &machinepb.ListProcessesRequest{})
				if err == nil {
					slices.SortStableFunc(r.Processes, compare)
				}
				return r, err
			}
			return show(c.Context(), a, call, func(r *machinepb.ListProcessesResponse) []section {
				g := output.Grid{Columns: output.Columns(">PID", ">PARENT", "S", ">THREADS", ">CPU TIME", ">MEMORY", ">VIRTUAL+", "COMMAND", "CGROUP", "STARTED+", "ARGUMENTS+")}
				for _, p := range r.Processes {
					g.Add(fmt.Sprint(p.Pid), fmt.Sprint(p.Ppid), p.State, fmt.Sprint(p.Threads), output.Span(p.CpuTime.AsDuration()),
						output.Bytes(p.ResidentBytes), output.Bytes(p.VirtualBytes), p.Command, p.Cgroup, output.Time(p.Started.AsTime()), p.Args)
				}
				return []section{{"", g}}
			})
		},
	}
	c.Flags().StringVar(&order, "sort", "memory", "what comes first: memory, cpu or pid")
	must(c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]string{"memory", "cpu", "pid"}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (a *app) memoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "memory",
		Short:   "Show what the memory of machines is used for",
		Long:    "Shows the memory of a machine and of its cgroups. -o wide has all of the kernel's numbers.",
		Example: "  coraclectl -n edge-1 memory",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.GetMemoryResponse, error) {
				return unary(a, ctx, m.GetMemory, &machinepb.GetMemoryRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.GetMemoryResponse) []section {
				return memorySections(r, a.format == output.Wide)
			})
		},
	}
}

// mostTold are the numbers of /proc/meminfo that most people look for.
var mostTold = []string{"MemTotal", "MemAvailable", "MemFree", "Cached", "AnonPages", "Slab", "SwapTotal", "SwapFree"}

func memorySections(r *machinepb.GetMemoryResponse, all bool) []section {
	info := section{"Memory", output.Grid{Columns: output.Columns("NAME", ">SIZE")}}
	names := mostTold
	if all {
		names = nil
		for name := range r.Meminfo {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		value, ok := r.Meminfo[name]
		switch {
		case !ok:
		case len(name) > 10 && name[:10] == "HugePages_":
			info.Add(name, fmt.Sprintf("%d pages", value))
		default:
			info.Add(name, output.Bytes(value))
		}
	}
	groups := section{"Cgroups", output.Grid{Columns: output.Columns("CGROUP", ">TOTAL", ">ANONYMOUS", ">FILES", ">OOM KILLS")}}
	for _, g := range r.Cgroups {
		groups.Add(g.Path, output.Bytes(g.CurrentBytes), output.Bytes(g.AnonymousBytes), output.Bytes(g.FileBytes), fmt.Sprint(g.OomKills))
	}
	return []section{info, groups}
}

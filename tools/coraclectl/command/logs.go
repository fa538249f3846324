package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// logFlags are which part of a log is wanted.
type logFlags struct {
	follow, previous bool
	since            string
	tail             int64
}

func (f *logFlags) add(c *cobra.Command) {
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what is added")
	c.Flags().StringVar(&f.since, "since", "", "from then on: a time span such as 10m, or a time such as 2026-11-26T07:30:00Z")
	c.Flags().Int64Var(&f.tail, "tail", 0, "at most so many lines of those that are there (0: all)")
}

// parseSince reads a moment: a time span before now, or a time.
func parseSince(s string, now time.Time) (*timestamppb.Timestamp, error) {
	if s == "" {
		return nil, nil
	}
	if span, err := time.ParseDuration(s); err == nil && span >= 0 {
		return timestamppb.New(now.Add(-span)), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, usagef("--since %s: write a time span such as 10m, or a time such as 2026-11-26T07:30:00Z", s)
	}
	return timestamppb.New(at), nil
}

func (a *app) logsCommand() *cobra.Command {
	var flags logFlags
	c := &cobra.Command{
		Use:   "logs SERVICE | NAMESPACE/POD[/CONTAINER]",
		Short: "Show the log of a service or a container",
		Long: `Shows the log of a service of the machine (kube, machined, kernel) or of a container, which Kubernetes need not answer for. With
several machines each line begins with the machine's name.`,
		Example: `  coraclectl -n edge-1 logs kube --tail 100 -f
  coraclectl -n edge-1 logs kube-system/coredns-7d4b --since 10m
  coraclectl -n edge-1 logs default/web-0/nginx --previous`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"kube", "machined", "kernel"}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			request := &machinepb.GetLogsRequest{Service: args[0], Previous: flags.previous}
			if parts := strings.Split(args[0], "/"); len(parts) > 1 {
				if len(parts) > 3 || strings.Contains("/"+args[0]+"/", "//") {
					return usagef("%s: write NAMESPACE/POD or NAMESPACE/POD/CONTAINER", args[0])
				}
				request.Service, request.Container = "", args[0]
			} else if flags.previous {
				return usagef("--previous is for containers")
			}
			return a.logs(c.Context(), request, flags)
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&flags.previous, "previous", false, "the container before its last restart")
	return c
}

func (a *app) dmesgCommand() *cobra.Command {
	var flags logFlags
	c := &cobra.Command{
		Use:     "dmesg",
		Short:   "Show the kernel's log",
		Long:    "Shows the kernel's log, in which init and machined write too.",
		Example: "  coraclectl -n edge-1 dmesg -f",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.logs(c.Context(), &machinepb.GetLogsRequest{Service: "kernel"}, flags)
		},
	}
	flags.add(c)
	return c
}

func (a *app) logs(ctx context.Context, request *machinepb.GetLogsRequest, flags logFlags) error {
	since, err := parseSince(flags.since, time.Now())
	if err != nil {
		return err
	}
	if flags.tail < 0 {
		return usagef("--tail is negative")
	}
	request.Follow, request.Since, request.TailLines = flags.follow, since, flags.tail
	_, err = each(ctx, a, func(ctx context.Context, m *machine) (struct{}, error) {
		prefix := ""
		if a.several() {
			prefix = "[" + m.Name + "] "
		}
		return struct{}{}, stream(a, ctx, m, m.GetLogs, request, func(r *machinepb.GetLogsResponse) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			return writeLines(a.Out, prefix, r.Data)
		})
	})
	return err
}

// writeLines writes whole lines, each with a prefix.
func writeLines(w io.Writer, prefix string, data []byte) error {
	if prefix == "" {
		_, err := w.Write(data)
		return err
	}
	var b bytes.Buffer
	for line := range bytes.Lines(data) {
		fmt.Fprintf(&b, "%s%s", prefix, line)
	}
	if b.Len() > 0 && b.Bytes()[b.Len()-1] != '\n' {
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

package command

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// Version of coraclectl, which the build sets.
var Version = "dev"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of coraclectl, and of machines",
		Long:  "Shows the version of coraclectl; with -n what runs on machines, which they tell anybody.",
		Example: `  coraclectl version
  coraclectl -n plant version`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(a.flags.machines) == 0 {
				if a.format.IsTable() {
					_, err := fmt.Fprintf(a.Out, "coraclectl %s %s/%s\n", Version, runtime.GOOS, runtime.GOARCH)
					return err
				}
				return output.Write(a.Out, a.format, map[string]string{"version": Version, "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			call := func(ctx context.Context, m *machine) (*machinepb.GetVersionResponse, error) {
				return unary(a, ctx, m.GetVersion, &machinepb.GetVersionRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.GetVersionResponse) []section {
				g := output.Grid{Columns: output.Columns("VERSION", "KUBERNETES", "KERNEL", "ARCH", "FINGERPRINT+")}
				g.Add(r.Version, r.Kubernetes, r.Kernel, r.Arch, r.Fingerprint)
				return []section{{"", g}}
			})
		},
	}
}

package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

func (a *app) patchCommand() *cobra.Command {
	var flags applyFlags
	var file, text string
	c := &cobra.Command{
		Use:   "patch -p PATCH | -f FILE",
		Short: "Change parts of machines' configs",
		Long: `Changes parts of the config of each machine, and shows what changed and what was done. A patch is YAML: what it has
replaces what is there, null takes a field away, a list replaces the whole list (RFC 7386, JSON merge patch).
` + modeHelp,
		Example: `  coraclectl -n edge-1 patch -p 'machine: {labels: {site: harbour}}'
  coraclectl -n plant patch -f time.yaml --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			mode, tryFor, err := flags.parse(c)
			if err != nil {
				return err
			}
			if (file == "") == (text == "") {
				return usagef("give the patch with -p PATCH or -f FILE")
			}
			patch := []byte(text)
			if file != "" {
				if patch, err = a.readFile(file); err != nil {
					return err
				}
			}
			results, err := each(c.Context(), a, func(ctx context.Context, m *machine) (*machinepb.ApplyConfigResponse, error) {
				return patient(a, ctx, m, m.PatchConfig, &machinepb.PatchConfigRequest{Patch: patch, Mode: mode, DryRun: flags.dryRun, TryFor: tryFor})
			})
			if len(results) == 0 {
				return err
			}
			return firstError(a.applied(c.Context(), results, flags.dryRun), err)
		},
	}
	c.Flags().StringVarP(&text, "patch", "p", "", "the patch")
	c.Flags().StringVarP(&file, "file", "f", "", "file with the patch, - for standard input")
	flags.add(c)
	return c
}

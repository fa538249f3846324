package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) getCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "get",
		Short:   "Get the config of machines",
		Long:    "Gets what a machine is configured with.",
		Example: "  coraclectl -n edge-1 get config",
	}
	c.AddCommand(a.getConfigCommand())
	return c
}

func (a *app) getConfigCommand() *cobra.Command {
	var secrets, staged bool
	c := &cobra.Command{
		Use:   "config",
		Short: "Print the config in force",
		Long: `Prints the config in force, as YAML unless -o json is given. Secrets are left out unless --secrets asks for them, which
needs the role admin; without them it cannot be applied as it is.`,
		Example: `  coraclectl -n edge-1 get config
  coraclectl -n edge-1 get config --secrets > edge-1.yaml
  coraclectl -n edge-1 get config --staged`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := each(c.Context(), a, func(ctx context.Context, m *machine) (string, error) {
				answer, err := unary(a, ctx, m.GetConfig, &machinepb.GetConfigRequest{Secrets: secrets})
				switch {
				case err != nil:
					return "", err
				case staged && len(answer.Staged) == 0:
					return "", fmt.Errorf("no config is staged for the next boot")
				case staged:
					return string(answer.Staged), nil
				case len(answer.Config) == 0:
					return "", fmt.Errorf("it has no config yet; give it one with: coraclectl apply -f FILE")
				}
				return string(answer.Config), nil
			})
			if len(results) == 0 {
				return err
			}
			return firstError(a.writeConfigs(results), err)
		},
	}
	c.Flags().BoolVar(&secrets, "secrets", false, "with its secrets")
	c.Flags().BoolVar(&staged, "staged", false, "the config for the next boot")
	return c
}

// writeConfigs prints configs as they are, or in JSON; several as several documents, or keyed by machine.
func (a *app) writeConfigs(results []result[string]) error {
	if a.format == output.JSON || a.format == output.YAML && a.several() {
		parsed := make([]result[any], len(results))
		for i, r := range results {
			parsed[i].name = r.name
			if err := yaml.Unmarshal([]byte(r.value), &parsed[i].value); err != nil {
				return fmt.Errorf("the config of %s: %w", r.name, err)
			}
		}
		return writeKeyed(a, a.several(), parsed)
	}
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(a.Out, "---")
		}
		if a.several() {
			fmt.Fprintln(a.Out, "# "+r.name)
		}
		fmt.Fprint(a.Out, r.value)
		if !strings.HasSuffix(r.value, "\n") {
			fmt.Fprintln(a.Out)
		}
	}
	return nil
}

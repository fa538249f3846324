package command

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/configs"
	"github.com/coracle-os/coracle/docs/schema"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/keys"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Write and check machine configs, without a machine",
		Long:  "Writes and checks machine configs. Nothing of this needs a machine; get config, apply, patch and edit do.",
		Example: `  coraclectl config new > machine.yaml
  coraclectl config validate machine.yaml`,
	}
	c.AddCommand(a.configNewCommand(), a.configValidateCommand(), a.configSchemaCommand(), a.configExampleCommand())
	return c
}

func (a *app) configNewCommand() *cobra.Command {
	var first firstConfig
	c := &cobra.Command{
		Use:     "new",
		Short:   "Print a first config, with your key as admin",
		Long:    "Prints a machine config that lets your key in. coraclectl init makes the key.",
		Example: "  coraclectl config new --name edge-1 > edge-1.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := keys.Load(a.keyPath())
			if err != nil {
				return usagef("%w; make a key with: coraclectl init", err)
			}
			text, err := first.text(keys.Public(key))
			if err != nil {
				return err
			}
			_, err = a.Out.Write(text)
			return err
		},
	}
	first.flags(c)
	return c
}

func (a *app) configValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check configs",
		Long: `Checks machine configs, - being standard input. Everything that is wrong is said at once, with line and field. It is
checked as this version of coraclectl knows configs; a machine checks again.`,
		Example: "  coraclectl config validate machine.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			var problems []string
			for _, file := range files {
				text, err := a.readFile(file)
				if err != nil {
					return err
				}
				if _, err := config.Parse(file, text); err != nil {
					problems = append(problems, err.Error())
				}
			}
			if problems != nil {
				return usagef("not valid:\n%s", strings.Join(problems, "\n"))
			}
			a.say("valid")
			return nil
		},
	}
}

func (a *app) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of machine configs, for editors",
		Long: `Prints the JSON Schema of machine configs. An editor with a YAML language server takes it from a first line of the config:
# yaml-language-server: $schema=machineconfig.json`,
		Example: "  coraclectl config schema > machineconfig.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := a.Out.Write(schema.MachineConfig)
			return err
		},
	}
}

func (a *app) configExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "example [NAME]",
		Short:   "Print an example config, or which there are",
		Long:    "Prints an example of a machine config; without a name, which examples there are.",
		Example: "  coraclectl config example static",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return exampleNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, name := range exampleNames() {
					fmt.Fprintln(a.Out, name)
				}
				return nil
			}
			if !slices.Contains(exampleNames(), args[0]) {
				return usagef("there is no example %q; there are %s", args[0], strings.Join(exampleNames(), ", "))
			}
			text, err := configs.Examples.ReadFile(exampleFile(args[0]))
			if err != nil {
				return err
			}
			_, err = a.Out.Write(text)
			return err
		},
	}
}

// smallest is the name of the example machine.yaml; machine-NAME.yaml is NAME.
const smallest = "smallest"

func exampleFile(name string) string {
	if name == smallest {
		return "machine.yaml"
	}
	return "machine-" + name + ".yaml"
}

func exampleNames() []string {
	files, err := fs.Glob(configs.Examples, "machine*.yaml")
	must(err)
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(file, "machine-"), ".yaml")
		if file == "machine.yaml" {
			names[i] = smallest
		}
	}
	slices.Sort(names)
	return names
}

// readFile reads a file, or standard input for -. It is at most as large as a config may be, and a byte.
func (a *app) readFile(name string) ([]byte, error) {
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage(err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, config.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

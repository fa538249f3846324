package command

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) contextsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "contexts",
		Short: "Keep the machines that are known, and groups of them",
		Long: `Keeps the file of machines that are known: name, address and the fingerprint of the key that the machine must show. Groups
have names too; -n takes either.`,
		Example: `  coraclectl contexts add edge-1 192.0.2.7 --fingerprint SHA256:…
  coraclectl contexts group plant edge-1 edge-2
  coraclectl contexts use plant`,
	}
	list := &cobra.Command{
		Use: "list", Short: "Show machines and groups", Long: "Shows the machines and groups that are known; * marks the current one.",
		Example: "  coraclectl contexts list", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listContexts() },
	}
	add := &cobra.Command{
		Use:   "add NAME ADDRESS --fingerprint SHA256:…",
		Short: "Add a machine, or change one",
		Long: `Adds a machine, or replaces the one of that name. ADDRESS is a host name or an IP address, with :PORT if it is not 50000. The
fingerprint is on the machine's console.`,
		Example: "  coraclectl contexts add edge-1 192.0.2.7 --fingerprint SHA256:…",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if a.flags.fingerprint == "" {
				return usagef("a machine is not trusted blindly: give --fingerprint SHA256:…, as its console shows it")
			}
			return usageError(contexts.Update(a.contextsPath(), func(f *contexts.File) error {
				f.Put(contexts.Machine{Name: args[0], Address: args[1], Fingerprint: a.flags.fingerprint})
				return nil
			}))
		},
	}
	names := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		f, err := contexts.Load(a.contextsPath())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return f.Names(), cobra.ShellCompDirectiveNoFileComp
	}
	remove := &cobra.Command{
		Use: "remove NAME...", Short: "Forget machines or groups", Long: "Forgets machines, also in groups, or groups.",
		Example: "  coraclectl contexts remove edge-1", Args: cobra.MinimumNArgs(1), ValidArgsFunction: names,
		RunE: func(_ *cobra.Command, args []string) error {
			return usageError(contexts.Update(a.contextsPath(), func(f *contexts.File) error {
				for _, name := range args {
					if err := f.Remove(name); err != nil {
						return err
					}
				}
				return nil
			}))
		},
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Choose the machine or group that commands are for", Long: "Chooses the machine or group that commands without -n are for.",
		Example: "  coraclectl contexts use plant", Args: cobra.ExactArgs(1), ValidArgsFunction: names,
		RunE: func(_ *cobra.Command, args []string) error {
			return usageError(contexts.Update(a.contextsPath(), func(f *contexts.File) error {
				f.Current = args[0]
				return nil
			}))
		},
	}
	group := &cobra.Command{
		Use: "group NAME MACHINE...", Short: "Make a group of machines", Long: "Makes a group of machines, or replaces the one of that name.",
		Example: "  coraclectl contexts group plant edge-1 edge-2", Args: cobra.MinimumNArgs(2), ValidArgsFunction: names,
		RunE: func(_ *cobra.Command, args []string) error {
			return usageError(contexts.Update(a.contextsPath(), func(f *contexts.File) error {
				if f.Groups == nil {
					f.Groups = map[string][]string{}
				}
				f.Groups[args[0]] = args[1:]
				return nil
			}))
		},
	}
	c.AddCommand(list, add, remove, use, group)
	return c
}

// usageError is err as one of usage: the contexts file or what was to be changed in it is wrong.
func usageError(err error) error {
	if err == nil {
		return nil
	}
	return usage(err)
}

func (a *app) listContexts() error {
	f, err := contexts.Load(a.contextsPath())
	if err != nil {
		return usage(err)
	}
	if !a.format.IsTable() {
		return output.Write(a.Out, a.format, f)
	}
	mark := func(name string) string {
		if name == f.Current {
			return "*"
		}
		return ""
	}
	machines := section{"Machines", output.Grid{Columns: output.Columns("CURRENT", "NAME", "ADDRESS", "FINGERPRINT")}}
	for _, m := range f.Machines {
		machines.Add(mark(m.Name), m.Name, m.Address, m.Fingerprint)
	}
	list := []section{machines}
	if len(f.Groups) > 0 {
		groups := section{"Groups", output.Grid{Columns: output.Columns("CURRENT", "NAME", "MACHINES")}}
		for name, members := range f.Groups {
			groups.Add(mark(name), name, strings.Join(members, " "))
		}
		slices.SortFunc(groups.Rows, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
		list = append(list, groups)
	}
	return a.writeSections(list)
}

package command

import (
	"context"
	"errors"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/tools/coraclectl/dashboard"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) dashboardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dashboard",
		Short: "Watch machines on one screen",
		Long: `Shows machines live on the terminal: state, memory, DATA, problems; and of the one that is opened with enter, its components,
conditions and logs. q quits.`,
		Example: "  coraclectl -n plant dashboard",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !output.IsTerminal(a.In) || !output.IsTerminal(a.Out) {
				return usagef("the dashboard needs a terminal; coraclectl status and events -f do not")
			}
			machines, err := a.machines()
			if err != nil {
				return err
			}
			list := make([]dashboard.Machine, len(machines))
			for i, m := range machines {
				a.introduce(c.Context(), m)
				list[i] = dashboard.Machine{Name: m.Name, Address: m.Address, Client: m.MachineServiceClient}
			}
			err = dashboard.Run(c.Context(), list, bool(a.colors), tea.WithInput(a.In), tea.WithOutput(a.Out))
			if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) && c.Context().Err() != nil {
				return context.Canceled
			}
			return err
		},
	}
}

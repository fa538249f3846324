package command

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/discovery"
	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) discoverCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "discover",
		Short: "Find machines on this network",
		Long: `Finds the machines on the networks of this computer by multicast DNS. What is found is what somebody on the network says:
compare a fingerprint with the one on the machine's console before you trust it.`,
		Example: "  coraclectl discover --wait 10s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), wait)
			defer cancel()
			machines, err := discovery.Browse(ctx)
			if err != nil {
				return err
			}
			found := map[string]discovery.Machine{}
			for m := range machines {
				found[m.Fingerprint] = m
			}
			if err := c.Context().Err(); err != nil {
				return err
			}
			known, err := contexts.Load(a.contextsPath())
			if err != nil {
				return usage(err)
			}
			return a.writeFound(sightings(found, known))
		},
	}
	c.Flags().DurationVar(&wait, "wait", 3*time.Second, "how long to listen")
	return c
}

// sighting is a machine that was found.
type sighting struct {
	Name        string          `json:"name"`
	Addresses   []string        `json:"addresses"`
	State       discovery.State `json:"state"`
	Version     string          `json:"version"`
	Fingerprint string          `json:"fingerprint"`
	KnownAs     string          `json:"knownAs"` // in the contexts file
}

func sightings(found map[string]discovery.Machine, known contexts.File) []sighting {
	list := []sighting{}
	for _, m := range found {
		s := sighting{Name: m.Name, State: m.State, Version: m.Version, Fingerprint: m.Fingerprint}
		for _, address := range m.Addresses {
			text := strings.TrimSuffix(address.String(), ":"+contexts.DefaultPort)
			if text != address.String() {
				text = strings.Trim(text, "[]")
			}
			s.Addresses = append(s.Addresses, text)
		}
		if i := slices.IndexFunc(known.Machines, func(k contexts.Machine) bool { return k.Fingerprint == m.Fingerprint }); i >= 0 {
			s.KnownAs = known.Machines[i].Name
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return list
}

func (a *app) writeFound(list []sighting) error {
	if !a.format.IsTable() {
		return output.Write(a.Out, a.format, list)
	}
	if len(list) == 0 {
		a.say("no machine answered; are they on, and on the same network as this computer? Wi-Fi and routers often keep multicast back")
		return nil
	}
	g := output.Grid{Columns: output.Columns("NAME", "ADDRESS", "OTHER ADDRESSES+", "STATE", "VERSION", "FINGERPRINT", "KNOWN AS")}
	unknown := false
	for _, s := range list {
		g.Add(s.Name, s.Addresses[0], strings.Join(s.Addresses[1:], " "), string(s.State), s.Version, s.Fingerprint, s.KnownAs)
		unknown = unknown || s.KnownAs == ""
	}
	if err := g.Write(a.Out, a.format, a.colors); err != nil {
		return err
	}
	if unknown {
		a.say("compare a fingerprint with the one on the machine's console, then: coraclectl contexts add NAME ADDRESS --fingerprint SHA256:…")
	}
	return nil
}

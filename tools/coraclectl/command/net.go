package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) netCommand() *cobra.Command {
	var connections, listening bool
	c := &cobra.Command{
		Use:   "net",
		Short: "Show the network of machines",
		Long: `Shows interfaces with their addresses, routes and nameservers; with --connections the sockets of the machine itself, not
those of pods, with --listening only those that listen.`,
		Example: `  coraclectl -n edge-1 net
  coraclectl -n edge-1 net --connections`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if connections || listening {
				call := func(ctx context.Context, m *machine) (*machinepb.ListConnectionsResponse, error) {
					return unary(a, ctx, m.ListConnections, &machinepb.ListConnectionsRequest{Listening: listening})
				}
				return show(c.Context(), a, call, func(r *machinepb.ListConnectionsResponse) []section {
					g := output.Grid{Columns: output.Columns("PROTOCOL", "LOCAL", "REMOTE", "STATE", ">PID", "COMMAND")}
					for _, s := range r.Connections {
						g.Add(s.Protocol, s.Local, s.Remote, s.State, number(s.Pid), s.Command)
					}
					return []section{{"", g}}
				})
			}
			call := func(ctx context.Context, m *machine) (*machinepb.GetNetworkResponse, error) {
				return unary(a, ctx, m.GetNetwork, &machinepb.GetNetworkRequest{})
			}
			return show(c.Context(), a, call, networkSections)
		},
	}
	c.Flags().BoolVar(&connections, "connections", false, "show sockets")
	c.Flags().BoolVar(&listening, "listening", false, "show sockets that listen")
	return c
}

func networkSections(r *machinepb.GetNetworkResponse) []section {
	interfaces := section{"Interfaces", output.Grid{Columns: output.Columns(
		"INTERFACE", "KIND", "STATE", "ADDRESSES", "MAC", ">MTU", ">RECEIVED", ">SENT", ">ERRORS", "LEASE", "DRIVER+")}}
	for _, i := range r.Interfaces {
		state := "down"
		switch {
		case i.Up && i.Carrier:
			state = "up"
		case i.Up:
			state = "no link"
		}
		interfaces.Add(i.Name, i.Kind, state, strings.Join(i.Addresses, " "), i.Mac, fmt.Sprint(i.Mtu),
			output.Bytes(i.ReceivedBytes), output.Bytes(i.SentBytes), fmt.Sprint(i.ReceiveErrors+i.SendErrors), i.Lease, i.Driver)
	}
	routes := section{"Routes", output.Grid{Columns: output.Columns("DESTINATION", "GATEWAY", "INTERFACE", ">METRIC", "SOURCE", "PROTOCOL")}}
	for _, t := range r.Routes {
		destination := t.Destination
		if destination == "0.0.0.0/0" || destination == "::/0" {
			destination = "default (" + destination + ")"
		}
		routes.Add(destination, t.Gateway, t.Interface, number(t.Metric), t.Source, t.Protocol)
	}
	names := section{"Names", output.Grid{Columns: output.Columns("NAME", "VALUE")}}
	names.Add("host name", r.Hostname)
	for _, server := range r.Nameservers {
		names.Add("nameserver", server)
	}
	if len(r.Search) > 0 {
		names.Add("search", strings.Join(r.Search, " "))
	}
	return []section{interfaces, routes, names}
}

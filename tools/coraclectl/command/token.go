package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make tokens with which agents join",
		Long: `Makes, lists and deletes the tokens with which agents join the cluster of a server. A token says by which authority an agent
knows the servers, and lets it become a node. It is as secret as a password. It needs the role admin.`,
		Example: `  coraclectl -n server-1 token create --description harbour
  coraclectl -n server-1 token list`,
	}
	c.AddCommand(a.tokenCreateCommand(), a.tokenListCommand(), a.tokenDeleteCommand())
	return c
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var ttl time.Duration
	var description string
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a token and print it",
		Long: `Makes a token and prints it, for cluster.token in the configs of agents. It is not shown again. Any number of agents may join
with it until it expires; those that have joined stay.`,
		Example: `  coraclectl -n server-1 token create
  coraclectl -n server-1 token create --ttl 0 --description "spare machines"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.CreateTokenResponse, error) {
				return unary(a, ctx, m.CreateToken, &machinepb.CreateTokenRequest{Ttl: durationpb.New(ttl), Description: description})
			}
			results, err := each(c.Context(), a, call)
			if len(results) == 0 {
				return err
			}
			if !a.format.IsTable() {
				return firstError(writeKeyed(a, a.several(), results), err)
			}
			for _, r := range results {
				a.say("%s: expires %s; in the config of an agent, with role: agent, write\ncluster:\n  endpoint: %s\n  token: (the line below)",
					r.name, expiry(r.value.Info), r.value.Endpoint)
				fmt.Fprintln(a.Out, r.value.Token)
			}
			return err
		},
	}
	c.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long machines may join with it; 0: for ever")
	c.Flags().StringVar(&description, "description", "", "what it is for")
	return c
}

func (a *app) tokenListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the tokens",
		Long:    "Lists the tokens with which agents may join, without their secrets.",
		Example: "  coraclectl -n server-1 token list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.ListTokensResponse, error) {
				return unary(a, ctx, m.ListTokens, &machinepb.ListTokensRequest{})
			}
			return show(c.Context(), a, call, func(r *machinepb.ListTokensResponse) []section {
				g := output.Grid{Columns: output.Columns("ID", "EXPIRES", "DESCRIPTION")}
				for _, t := range r.Tokens {
					g.Add(t.Id, expiry(t), t.Description)
				}
				return []section{{"", g}}
			})
		},
	}
}

func (a *app) tokenDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a token",
		Long:    "Deletes a token: no machine can join with it any more. Those that have joined stay; kubectl delete node takes one out.",
		Example: "  coraclectl -n server-1 token delete abc123",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := each(c.Context(), a, func(ctx context.Context, m *machine) (struct{}, error) {
				_, err := unary(a, ctx, m.DeleteToken, &machinepb.DeleteTokenRequest{Id: args[0]})
				if err == nil {
					a.say("%s: token %s is deleted", m.Name, args[0])
				}
				return struct{}{}, err
			})
			return err
		},
	}
}

// expiry of a token, for a person.
func expiry(t *machinepb.JoinToken) string {
	if t.GetExpires() == nil {
		return "never"
	}
	return output.Time(t.Expires.AsTime())
}

package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

func (a *app) editCommand() *cobra.Command {
	var flags applyFlags
	c := &cobra.Command{
		Use:   "edit",
		Short: "Edit a machine's config, and apply it",
		Long: `Opens the machine's config in an editor and applies it when that ends and it is another; one that nobody else has changed
meanwhile. The editor is $VISUAL, $EDITOR, or vi (notepad on Windows). It needs the role admin, as the config has its
secrets in it.
` + modeHelp,
		Example: "  EDITOR=nano coraclectl -n edge-1 edit --mode try",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			mode, tryFor, err := flags.parse(c)
			if err != nil {
				return err
			}
			config, err := one(c.Context(), a, func(ctx context.Context, m *machine) (*machinepb.GetConfigResponse, error) {
				return unary(a, ctx, m.GetConfig, &machinepb.GetConfigRequest{Secrets: true})
			})
			if err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "coraclectl-")
			if err != nil {
				return err
			}
			file := filepath.Join(dir, config.name+".yaml")
			if err := os.WriteFile(file, config.value.Config, 0o600); err != nil {
				return err
			}
			keep := false // what was typed is not lost when it cannot be applied
			defer func() {
				if !keep {
					os.RemoveAll(dir)
				}
			}()
			for {
				text, err := a.edited(c.Context(), file)
				if err != nil {
					return err
				}
				if bytes.Equal(text, config.value.Config) {
					a.say("nothing was changed")
					return nil
				}
				answer, err := one(c.Context(), a, func(ctx context.Context, m *machine) (*machinepb.ApplyConfigResponse, error) {
					return patient(a, ctx, m, m.ApplyConfig, &machinepb.ApplyConfigRequest{
						Config: text, Mode: mode, DryRun: flags.dryRun, TryFor: tryFor, IfDigest: config.value.Digest,
					})
				})
				if err == nil {
					return a.applied(c.Context(), []result[*machinepb.ApplyConfigResponse]{answer}, flags.dryRun)
				}
				if connect.CodeOf(err) == connect.CodeInvalidArgument {
					a.report(err)
					if again, asked := a.confirm("Edit it again?"); asked == nil && again {
						continue
					}
				}
				keep = true
				a.say("what you wrote is in %s, with its secrets", file)
				return err
			}
		},
	}
	flags.add(c)
	return c
}

// edited lets a person edit a file.
func (a *app) edited(ctx context.Context, file string) ([]byte, error) {
	fallback := "vi"
	if windows {
		fallback = "notepad"
	}
	words := strings.Fields(first(strings.TrimSpace(a.Getenv("VISUAL")), strings.TrimSpace(a.Getenv("EDITOR")), fallback)) // such as code --wait
	c := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	c.Stdin, c.Stdout, c.Stderr = a.In, a.Err, a.Err
	if f, ok := a.Out.(*os.File); ok { // what a person sees may not be a result, but editors want the terminal
		c.Stdout = f
	}
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("the editor %s: %w; set EDITOR to another", words[0], err)
	}
	return os.ReadFile(file)
}

package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/keys"
)

func (a *app) initCommand() *cobra.Command {
	var first firstConfig
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Make a key for me, and a first machine config",
		Long: `Makes your key, unless you have one, and a machine config that lets it in. FILE is machine.yaml if it is not given.
Neither a key nor a file that is there is ever overwritten. The public key is printed: it is what others put into the
machine.api.keys of their machines.`,
		Example: `  coraclectl init
  coraclectl init --name edge-1 edge-1.yaml
  coraclectl init --role agent --endpoint 192.0.2.7 --token coracle1.… edge-2.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file := "machine.yaml"
			if len(args) > 0 {
				file = args[0]
			}
			path := a.keyPath()
			_, err := os.Stat(path)
			made := errors.Is(err, fs.ErrNotExist)
			key, err := keys.LoadOrCreate(path)
			if err != nil {
				return err
			}
			if made {
				a.say("made your private key: %s; keep a copy of it in a safe place", path)
			}
			text, err := first.text(keys.Public(key))
			if err != nil {
				return err
			}
			switch err := createFile(file, text, 0o600); {
			case errors.Is(err, fs.ErrExist):
				a.say("%s is there already, and stays as it is", file)
			case err != nil:
				return err
			default:
				a.say("made %s; next: coraclectl flash IMAGE DISK --config %s, or coraclectl apply -f %s", file, file, file)
			}
			fmt.Fprintln(a.Out, keys.Public(key))
			return nil
		},
	}
	first.flags(c)
	return c
}

// firstConfig is a machine config that lets in one admin.
type firstConfig struct{ name, role, endpoint, token string }

func (f *firstConfig) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "name", "", "name of the machine (default: it makes one of its ID)")
	c.Flags().StringVar(&f.role, "role", "server", "role of the machine: server or agent")
	c.Flags().StringVar(&f.endpoint, "endpoint", "", "where the Kubernetes API is reached, host[:port]; an agent has to know it")
	c.Flags().StringVar(&f.token, "token", "", "of an agent: what coraclectl token create has printed")
}

func (f *firstConfig) text(key keys.PublicKey) ([]byte, error) {
	text := "# docs/config.md has every field.\napiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine:\n"
	if f.name != "" {
		text += "  name: " + f.name + "\n"
	}
	text += "  role: " + f.role + "\n  api:\n    keys:\n      - {name: me, role: admin, key: \"" + key.String() + "\"}\n"
	if f.endpoint != "" || f.token != "" {
		text += "cluster:\n"
	}
	for _, field := range []struct{ name, value string }{{"endpoint", f.endpoint}, {"token", f.token}} {
		if field.value != "" {
			text += "  " + field.name + ": " + field.value + "\n"
		}
	}
	if _, err := config.Parse("config", []byte(text)); err != nil {
		return nil, usage(err)
	}
	return []byte(text), nil
}

// createFile writes a file that must not be there yet.
func createFile(path string, text []byte, mode os.FileMode) error {
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func (a *app) keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key for somebody or something else",
		Long: `Makes a private key in FILE, such as one for monitoring, and prints its public key. FILE is not overwritten. A key is used
with --key FILE.`,
		Example: "  coraclectl keygen monitoring.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); !errors.Is(err, fs.ErrNotExist) {
				return usagef("%s is there already, and is not overwritten", args[0])
			}
			key, err := keys.LoadOrCreate(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, keys.Public(key))
			return nil
		},
	}
}

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) bundleCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Get a support bundle",
		Long: `Gets a gzip-compressed tar of all that helps to find out what is wrong with a machine: status, logs, events, processes,
network, disks and the config. Secrets are left out. The file's name is printed.`,
		Example: `  coraclectl -n edge-1 bundle
  coraclectl -n edge-1 bundle -o - | tar -tz`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			machines, err := a.machines()
			if err != nil {
				return err
			}
			if file != "" && len(machines) > 1 {
				return usagef("-o is for one machine; without it each gets a file of its own")
			}
			now := time.Now()
			results, err := each(c.Context(), a, func(ctx context.Context, m *machine) (string, error) {
				to := first(file, fmt.Sprintf("coracle-%s-%s.tar.gz", fileName(m.Name), now.Format("20060102-150405")))
				if to == "-" {
					return "", a.bundle(ctx, m, a.Out)
				}
				return to, writeWhole(to, func(w io.Writer) error { return a.bundle(ctx, m, w) })
			})
			for _, r := range results {
				if r.value != "" {
					fmt.Fprintln(a.Out, r.value)
				}
			}
			return err
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "file to write, - for standard output (default coracle-NAME-TIME.tar.gz)")
	return c
}

func (a *app) bundle(ctx context.Context, m *machine, w io.Writer) error {
	var total uint64
	p := a.progress(m.Name + ": support bundle")
	defer p.done()
	return stream(a, ctx, m, m.GetSupportBundle, &machinepb.GetSupportBundleRequest{}, func(r *machinepb.GetSupportBundleResponse) error {
		total += uint64(len(r.Data))
		p.show("%s", output.Bytes(total))
		_, err := w.Write(r.Data)
		return err
	})
}

// fileName is a name without what would lead to another folder.
func fileName(name string) string {
	name = filepath.Base(filepath.Clean("/" + name))
	if name == "/" || name == "." || name == `\` {
		return "machine"
	}
	return name
}

// writeWhole writes a file that is there only when it is whole.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".coraclectl-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

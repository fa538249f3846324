package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// upgradeFlags are how an upgrade is done.
type upgradeFlags struct {
	stage, force, noWait, serial bool
	at                           string
	waitFor                      time.Duration
}

func (a *app) upgradeCommand() *cobra.Command {
	var f upgradeFlags
	c := &cobra.Command{
		Use:   "upgrade FILE|ADDRESS",
		Short: "Upgrade machines to another version",
		Long: `Sends an artifact (coracle-VERSION-ARCH.slot) to machines, or has them fetch it from https://… or
oci://registry/repository:tag. A file is read whole before anything is sent: a damaged one costs no machine anything. A machine
writes it to the slot that does not run, compares, and restarts into it. The new version is on trial: it is confirmed when it
was healthy for long enough, or the machine goes back to the version before, and does not take that artifact again unless it is
forced.

What a machine fetches itself is only what it does not have already, if the index of the artifact is beside it.

Without --no-wait the command returns when the new version is confirmed, and fails when it was rolled back, with the reason.
Several machines upgrade at once; with --serial one after the other, and after one that fails the others are left alone.

--force installs an older version, skips versions of Kubernetes, or tries again what was rolled back, and says what it overrode.
It needs the role admin. A signature that is not trusted, another architecture or flavour, or a slot that is too small cannot be forced.`,
		Example: `  coraclectl -n edge-1 upgrade coracle-0.2.0-amd64.slot
  coraclectl -n a,b,c upgrade --serial https://releases.example.com/coracle-0.2.0-amd64.slot
  coraclectl -n plant upgrade --at 2026-12-01T03:00:00Z oci://registry.example.com/coracle:0.2.0`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.upgrade(c.Context(), args[0], f) },
	}
	c.Flags().BoolVar(&f.stage, "stage", false, "do not restart: the new version is tried at the next boot")
	c.Flags().BoolVar(&f.force, "force", false, "install what some checks would refuse")
	c.Flags().BoolVar(&f.serial, "serial", false, "one machine after the other")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "return when the machine restarts")
	c.Flags().StringVar(&f.at, "at", "", "with an address: when the machine fetches it, such as 2026-12-01T03:00:00Z")
	c.Flags().DurationVar(&f.waitFor, "wait-for", 30*time.Minute, "how long the new version may take to be confirmed")
	c.AddCommand(a.cancelUpgradeCommand())
	return c
}

func (a *app) cancelUpgradeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel",
		Short:   "Take back an upgrade that is staged or scheduled",
		Long:    "Takes back an upgrade that waits for the next boot, or for its time. The slot it was written to stays as it is.",
		Example: "  coraclectl -n edge-1 upgrade cancel",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := each(c.Context(), a, func(ctx context.Context, m *machine) (struct{}, error) {
				answer, err := unary(a, ctx, m.CancelUpgrade, &machinepb.CancelUpgradeRequest{})
				if err == nil {
					a.say("%s: the upgrade that was %s is cancelled", m.Name, answer.Cancelled)
				}
				return struct{}{}, err
			})
			return err
		},
	}
}

// isAddress is whether an upgrade is fetched by the machine.
func isAddress(source string) bool {
	return slices.ContainsFunc([]string{"https://", "http://", "oci://"}, func(p string) bool { return strings.HasPrefix(source, p) })
}

func (a *app) upgrade(ctx context.Context, source string, f upgradeFlags) error {
	var at *timestamppb.Timestamp
	switch {
	case f.at != "" && !isAddress(source):
		return usagef("--at is for an address: a machine cannot fetch %s later", source)
	case f.at != "":
		when, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return usagef("--at %q is not a time such as 2026-12-01T03:00:00Z", f.at)
		}
		at = timestamppb.New(when)
	case !isAddress(source):
		if err := a.checkFile(source); err != nil {
			return err
		}
	}
	run := each[*machinepb.UpgradeResult]
	if f.serial {
		run = inTurn[*machinepb.UpgradeResult]
	}
	results, err := run(ctx, a, func(ctx context.Context, m *machine) (*machinepb.UpgradeResult, error) {
		return a.upgradeOne(ctx, m, source, at, f)
	})
	return firstError(a.writeResults(results), err)
}

// writeResults writes what was installed, for a program.
func (a *app) writeResults(results []result[*machinepb.UpgradeResult]) error {
	results = slices.DeleteFunc(results, func(r result[*machinepb.UpgradeResult]) bool { return r.value == nil })
	if a.format.IsTable() || len(results) == 0 {
		return nil
	}
	return writeKeyed(a, a.several(), results)
}

// checkFile finds out before anything is sent whether a file is an artifact, and whole: what a machine finds out while it writes
// costs it the version that it could go back to.
func (a *app) checkFile(path string) error {
	_, err := a.readWhole(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return usagef("%s: %w\n-> get it again, or make it with `make slot`; the image for a disk (.img) is not one", path, err)
	}
	return nil
}

// upgradeOne upgrades a machine.
func (a *app) upgradeOne(ctx context.Context, m *machine, source string, at *timestamppb.Timestamp, f upgradeFlags) (*machinepb.UpgradeResult, error) {
	before, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	options := &machinepb.UpgradeOptions{Stage: f.stage, Force: f.force}
	var r *machinepb.UpgradeResult
	if isAddress(source) {
		r, err = a.pullUpgrade(ctx, m, &machinepb.PullUpgradeRequest{Source: source, Options: options, At: at})
	} else {
		r, err = a.uploadUpgrade(ctx, m, source, options)
	}
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		a.say("%s: fetches %s at %s", m.Name, source, at.AsTime().Local().Format(time.DateTime))
		return nil, nil
	}
	for _, what := range r.Overridden {
		a.say("%s: forced, although %s", m.Name, what)
	}
	if r.FetchedBytes > 0 {
		a.say("%s: fetched %s, had %s already", m.Name, output.Bytes(r.FetchedBytes), output.Bytes(r.SavedBytes))
	}
	a.say("%s: version %s is in slot %s, signed by %s", m.Name, r.Version, r.Slot, r.SignedBy)
	return r, a.awaitTrial(ctx, m, r, before.Status, f.noWait, f.waitFor)
}

// pullUpgrade has a machine fetch an artifact. Without a result, it does that later.
func (a *app) pullUpgrade(ctx context.Context, m *machine, request *machinepb.PullUpgradeRequest) (r *machinepb.UpgradeResult, err error) {
	p := a.progress(m.Name)
	defer p.done()
	err = stream(a, ctx, m, m.PullUpgrade, request, func(answer *machinepb.PullUpgradeResponse) error {
		if now := answer.Progress; now != nil {
			p.show("%s %s", now.Step, share(now.DoneBytes, now.TotalBytes))
		}
		r = firstOf(answer.Result, r)
		return nil
	})
	return r, err
}

func firstOf[T any](list ...*T) *T {
	for _, v := range list {
		if v != nil {
			return v
		}
	}
	return nil
}

// share is a part of a whole, for a person.
func share(done, total uint64) string {
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s (%d %%)", output.Bytes(done), output.Bytes(total), done*100/total)
}

// uploadBlock is how much of an artifact a message has, in bytes.
const uploadBlock = 256 << 10

// uploadUpgrade sends an artifact to a machine, as it takes it.
func (a *app) uploadUpgrade(ctx context.Context, m *machine, path string, o *machinepb.UpgradeOptions) (*machinepb.UpgradeResult, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := a.progress(m.Name)
	defer p.done()
	stream := m.UploadUpgrade(ctx)
	message := &machinepb.UploadUpgradeRequest{Options: o}
	block := make([]byte, uploadBlock)
	for sent := uint64(0); ; {
		n, err := io.ReadFull(f, block)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		message.Data = block[:n]
		if failed := stream.Send(message); failed != nil {
			break // the answer says why
		}
		sent += uint64(n)
		p.show("send %s", share(sent, uint64(info.Size())))
		if err != nil {
			break
		}
		message = &machinepb.UploadUpgradeRequest{}
	}
	p.show("write and verify")
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer.Msg.Result, nil
}

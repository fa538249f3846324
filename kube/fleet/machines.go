package fleet

import (
	"context"
	"crypto/ed25519"
	"errors"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// Machines are the machines of the cluster, as far as they are needed here.
type Machines interface {
	// Ask asks a machine how its slots are.
	Ask(ctx context.Context, n Node) Answer
	// Stage has a machine write an artifact into its idle slot, to be tried at its next boot, and returns the artifact's version.
	Stage(ctx context.Context, n Node, artifact string, report func(step string)) (version string, err error)
	// Cancel takes that back.
	Cancel(ctx context.Context, n Node) error
	Reboot(ctx context.Context, n Node) error
}

// MachineAPI calls machines over their API.
type MachineAPI struct{ Key ed25519.PrivateKey }

// with calls a machine.
func (m MachineAPI) with(n Node, call func(*client.Client) error) error {
	c, err := client.New(client.Options{Address: n.Address, Key: m.Key, Fingerprint: n.Fingerprint})
	if err != nil {
		return err
	}
	defer c.Close()
	return call(c)
}

// Ask implements [Machines].
func (m MachineAPI) Ask(ctx context.Context, n Node) Answer {
	var a Answer
	err := m.with(n, func(c *client.Client) error {
		r, err := c.GetUpgrade(ctx, connect.NewRequest(&machinepb.GetUpgradeRequest{}))
		if err != nil {
			return err
		}
		a = read(r.Msg)
		return nil
	})
	if err != nil {
		a.Failure, a.Text = classify(err)
	}
	return a
}

// read takes what matters of an answer.
func read(r *machinepb.GetUpgradeResponse) Answer {
	a := Answer{Installing: r.Progress != nil}
	for _, s := range r.Slots {
		switch s.State {
		case "running", "trial":
			a.Running, a.Trial = s.Version, s.State == "trial"
		case "staged":
			a.Staged = s.Version
		}
	}
	if r.Last.GetResult() == "rolled back" {
		a.RolledBack, a.Why = r.Last.Version, r.Last.Reason
	}
	return a
}

// Stage implements [Machines].
func (m MachineAPI) Stage(ctx context.Context, n Node, artifact string, report func(step string)) (version string, err error) {
	err = m.with(n, func(c *client.Client) error {
		stream, err := c.PullUpgrade(ctx, connect.NewRequest(&machinepb.PullUpgradeRequest{
			Source: artifact, Options: &machinepb.UpgradeOptions{Stage: true},
		}))
		if err != nil {
			return err
		}
		defer stream.Close()
		for stream.Receive() {
			if p := stream.Msg().Progress; p != nil {
				report(p.Step)
			}
			if r := stream.Msg().Result; r != nil {
				version = r.Version
			}
		}
		return stream.Err()
	})
	if err == nil && version == "" {
		err = connect.NewError(connect.CodeUnavailable, errors.New("the machine did not say how the upgrade went"))
	}
	return version, err
}

// Cancel implements [Machines].
func (m MachineAPI) Cancel(ctx context.Context, n Node) error {
	return m.with(n, func(c *client.Client) error {
		_, err := c.CancelUpgrade(ctx, connect.NewRequest(&machinepb.CancelUpgradeRequest{}))
		return err
	})
}

// Reboot implements [Machines].
func (m MachineAPI) Reboot(ctx context.Context, n Node) error {
	return m.with(n, func(c *client.Client) error {
		_, err := c.Reboot(ctx, connect.NewRequest(&machinepb.RebootRequest{}))
		return err
	})
}

// classify finds out what an error of a call means.
func classify(err error) (Failure, string) {
	text := err.Error()
	if e, ok := errors.AsType[*connect.Error](err); ok {
		text = e.Message()
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return keyUnknown, "its machine.api.keys do not have the key of the fleet controller"
	case connect.CodePermissionDenied:
		return roleTooLow, text
	case connect.CodeFailedPrecondition, connect.CodeUnimplemented, connect.CodeInvalidArgument:
		return refused, text
	case connect.CodeAborted:
		return busy, text
	}
	if errors.Is(err, client.ErrOtherMachine) {
		return otherKey, text
	}
	return unreachable, text
}

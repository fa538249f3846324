package command

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
)

// machine is one that is called.
type machine struct {
	contexts.Machine
	machinepbconnect.MachineServiceClient
	isNew bool // and is remembered when the command succeeds
}

// result is what one machine answered.
type result[T any] struct {
	name  string
	value T
}

// each calls do for every machine that the command is for, at once, and returns what those gave that did not fail, in
// order. The error is of type machineErrors. do gets a context that lasts as long as the command.
func each[T any](ctx context.Context, a *app, do func(context.Context, *machine) (T, error)) ([]result[T], error) {
	machines, err := a.machines()
	if err != nil {
		return nil, err
	}
	values, errs := make([]T, len(machines)), make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() {
			a.introduce(ctx, m)
			values[i], errs[i] = do(ctx, m)
		})
	}
	all.Wait()
	return gather(ctx, a, machines, values, errs)
}

// errNotReached is that a machine was not called, as one before it failed.
var errNotReached = errors.New("nothing was done: a machine before it failed")

// inTurn is each, one machine after the other. After one that fails the others are left alone.
func inTurn[T any](ctx context.Context, a *app, do func(context.Context, *machine) (T, error)) ([]result[T], error) {
	machines, err := a.machines()
	if err != nil {
		return nil, err
	}
	values, errs := make([]T, len(machines)), make([]error, len(machines))
	failed := false
	for i, m := range machines {
		if failed {
			errs[i] = errNotReached
			continue
		}
		a.introduce(ctx, m)
		values[i], errs[i] = do(ctx, m)
		failed = errs[i] != nil
	}
	return gather(ctx, a, machines, values, errs)
}

// gather sorts what machines gave from what failed, and remembers machines that are new.
func gather[T any](ctx context.Context, a *app, machines []*machine, values []T, errs []error) ([]result[T], error) {
	var good []result[T]
	var bad machineErrors
	for i, m := range machines {
		switch {
		case ctx.Err() != nil && errs[i] != nil:
			return good, ctx.Err()
		case errs[i] != nil:
			bad = append(bad, machineError{m.Name, m.Address, errs[i]})
		default:
			good = append(good, result[T]{m.Name, values[i]})
			if err := a.remember(m); err != nil {
				a.say("%s is not remembered: %v", m.Name, err)
			}
		}
	}
	if bad != nil {
		return good, bad
	}
	return good, nil
}

// one is each for a command that is for one machine only.
func one[T any](ctx context.Context, a *app, do func(context.Context, *machine) (T, error)) (result[T], error) {
	machines, err := a.machines()
	if err != nil {
		return result[T]{}, err
	}
	if len(machines) > 1 {
		return result[T]{}, usagef("this is for one machine at a time; name it with -n")
	}
	list, err := each(ctx, a, do)
	if err != nil {
		return result[T]{}, err
	}
	return list[0], nil
}

// unary makes of a method of the API one that is given the time for an answer.
func unary[Q, R any](a *app, ctx context.Context, method func(context.Context, *connect.Request[Q]) (*connect.Response[R], error), request *Q) (*R, error) {
	ctx, cancel := context.WithTimeout(ctx, a.flags.timeout)
	defer cancel()
	answer, err := method(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// patience is how long a machine may take for what is more than an answer, such as to apply a config.
const patience = 5 * time.Minute

// patient is unary for a method that may take long. That a machine does not answer at all is found out as soon.
func patient[Q, R any](a *app, ctx context.Context, m *machine, method func(context.Context, *connect.Request[Q]) (*connect.Response[R], error), request *Q) (*R, error) {
	if _, err := unary(a, ctx, m.GetVersion, &machinepb.GetVersionRequest{}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := method(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// stream calls a method that answers with a stream, and gives each message to take until that returns an error. The
// machine has to answer in time, but the stream may last.
func stream[Q, R any](a *app, ctx context.Context, m *machine, method func(context.Context, *connect.Request[Q]) (*connect.ServerStreamForClient[R], error), request *Q, take func(*R) error) error {
	if _, err := unary(a, ctx, m.GetVersion, &machinepb.GetVersionRequest{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := method(ctx, connect.NewRequest(request))
	if err != nil {
		return err
	}
	defer s.Close()
	for s.Receive() {
		if err := take(s.Msg()); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return s.Err()
}

// errEnough ends a stream.
var errEnough = errors.New("enough")

// machines are those that the command is for, with the keys that they must show.
func (a *app) machines() ([]*machine, error) {
	file, err := contexts.Load(a.contextsPath())
	if err != nil {
		return nil, usage(err)
	}
	known, err := file.Resolve(a.flags.machines)
	if err != nil {
		return nil, usage(err)
	}
	if a.flags.fingerprint != "" {
		if len(known) > 1 {
			return nil, usagef("--fingerprint is of one machine, and -n names %d", len(known))
		}
		if err := contexts.CheckFingerprint(a.flags.fingerprint); err != nil {
			return nil, usagef("--fingerprint: %w", err)
		}
	}
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	a.targets = len(known)
	list := make([]*machine, len(known))
	for i, k := range known {
		m := &machine{Machine: k}
		switch {
		case k.Fingerprint == "" && a.flags.fingerprint == "":
			return nil, usagef("%s is not known, and is not trusted blindly.\n-> read the fingerprint on its console, then add --fingerprint SHA256:… "+
				"once, or: coraclectl contexts add NAME %s --fingerprint SHA256:…", k.Name, k.Address)
		case k.Fingerprint == "":
			m.Fingerprint, m.isNew = a.flags.fingerprint, true
		case a.flags.fingerprint != "" && a.flags.fingerprint != k.Fingerprint:
			return nil, codeError{fmt.Errorf("%s is known with the fingerprint %s, not the one that is given.\n"+
				"-> if it has a new key: coraclectl contexts add %s %s --fingerprint %s", k.Name, k.Fingerprint, k.Name, k.Address, a.flags.fingerprint), exitOtherKey}
		}
		if m.MachineServiceClient, err = dial(m.Machine, key); err != nil {
			return nil, err
		}
		list[i] = m
	}
	return list, nil
}

func dial(m contexts.Machine, key ed25519.PrivateKey) (machinepbconnect.MachineServiceClient, error) {
	address, err := contexts.HostPort(m.Address)
	if err != nil {
		return nil, usage(err)
	}
	// A zone goes into a URL with its % as %25 (RFC 6874).
	return client.New(client.Options{Address: strings.Replace(address, "%", "%25", 1), Key: key, Fingerprint: m.Fingerprint})
}

// key is the operator's private key, or nil when there is none, which will do for a machine that has no config yet.
func (a *app) key() (ed25519.PrivateKey, error) {
	key, err := keys.Load(a.keyPath())
	if errors.Is(err, fs.ErrNotExist) && a.flags.key == "" {
		return nil, nil
	}
	if err != nil {
		return nil, usage(err)
	}
	return key, nil
}

// introduce gives a new machine the name that it has. When it does not tell, its address will do.
func (a *app) introduce(ctx context.Context, m *machine) {
	if !m.isNew {
		return
	}
	if status, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{}); err == nil && status.GetStatus().GetName() != "" {
		m.Name = status.GetStatus().GetName()
	}
}

// remember puts a new machine into the contexts file.
func (a *app) remember(m *machine) error {
	if !m.isNew {
		return nil
	}
	entry := m.Machine
	err := contexts.Update(a.contextsPath(), func(f *contexts.File) error {
		if f.Has(entry.Name) { // of another machine, or there would have been a fingerprint
			entry.Name = contexts.Host(entry.Address)
		}
		entry.Name = strings.Map(func(r rune) rune {
			if strings.ContainsRune(":[]%", r) {
				return '-'
			}
			return r
		}, entry.Name)
		if f.Has(entry.Name) {
			return fmt.Errorf("the contexts file has a %s already; add it under another name with: coraclectl contexts add NAME %s --fingerprint %s",
				entry.Name, entry.Address, entry.Fingerprint)
		}
		f.Put(entry)
		return nil
	})
	if err == nil {
		a.say("remembered as %s: coraclectl -n %s …", entry.Name, entry.Name)
	}
	return err
}

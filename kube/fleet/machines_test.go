package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/kube/fleet/fleettest"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
)

// TestMachineAPI goes through an upgrade over the wire.
func TestMachineAPI(t *testing.T) {
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	api, machine := MachineAPI{key}, fleettest.Start(t, "0.1.0")
	n := Node{Name: "edge-1", Address: machine.Address, Fingerprint: machine.Fingerprint}
	ctx := t.Context()

	if a := api.Ask(ctx, n); a != (Answer{Running: "0.1.0"}) || !machine.Known(key) {
		t.Fatalf("%+v", a)
	}
	if _, err := api.Stage(ctx, n, "https://a.example/b", func(string) {}); err == nil {
		t.Error("a stream that ends early is no error")
	}
	machine.Set(func(m *fleettest.Machine) { m.Next = wanted })
	var steps []string
	version, err := api.Stage(ctx, n, "https://a.example/b", func(step string) { steps = append(steps, step) })
	if err != nil || version != wanted || strings.Join(steps, " ") != "check write verify" {
		t.Errorf("version %q, steps %q, %v", version, steps, err)
	}
	if a := api.Ask(ctx, n); a.Staged != wanted || a.Running != "0.1.0" {
		t.Errorf("staged: %+v", a)
	}
	if err := api.Cancel(ctx, n); err != nil {
		t.Error(err)
	}
	if a := api.Ask(ctx, n); a.Staged != "" {
		t.Errorf("cancelled: %+v", a)
	}
	if _, err := api.Stage(ctx, n, "https://a.example/b", func(string) {}); err != nil {
		t.Fatal(err)
	}
	if err := api.Reboot(ctx, n); err != nil {
		t.Error(err)
	}
	if a := api.Ask(ctx, n); a != (Answer{Running: wanted, Trial: true}) {
		t.Errorf("on trial: %+v", a)
	}

	other := n
	other.Fingerprint = "SHA256:other"
	if a := api.Ask(ctx, other); a.Failure != otherKey {
		t.Errorf("another machine: %+v", a)
	}
	machine.Set(func(m *fleettest.Machine) {
		m.Err = connect.NewError(connect.CodeUnauthenticated, errors.New("who are you"))
	})
	if a := api.Ask(ctx, n); a.Failure != keyUnknown {
		t.Errorf("key unknown: %+v", a)
	}
	n.Address = "127.0.0.1:1"
	if a := api.Ask(ctx, n); a.Failure != unreachable || a.Text == "" {
		t.Errorf("nobody there: %+v", a)
	}
}

func TestRead(t *testing.T) {
	slot := func(version, state string) *machinepb.Slot { return &machinepb.Slot{Version: version, State: state} }
	for name, tc := range map[string]struct {
		answer *machinepb.GetUpgradeResponse
		want   Answer
	}{
		"nothing":   {&machinepb.GetUpgradeResponse{}, Answer{}},
		"running":   {&machinepb.GetUpgradeResponse{Slots: []*machinepb.Slot{slot("1", "whole"), slot("2", "running")}}, Answer{Running: "2"}},
		"trial":     {&machinepb.GetUpgradeResponse{Slots: []*machinepb.Slot{slot("1", "trial"), slot("2", "whole")}}, Answer{Running: "1", Trial: true}},
		"staged":    {&machinepb.GetUpgradeResponse{Slots: []*machinepb.Slot{slot("1", "running"), slot("2", "staged")}}, Answer{Running: "1", Staged: "2"}},
		"installs":  {&machinepb.GetUpgradeResponse{Progress: &machinepb.UpgradeProgress{}}, Answer{Installing: true}},
		"confirmed": {&machinepb.GetUpgradeResponse{Last: &machinepb.UpgradeOutcome{Version: "1", Result: "confirmed"}}, Answer{}},
		"rolled back": {
			&machinepb.GetUpgradeResponse{Last: &machinepb.UpgradeOutcome{Version: "1", Result: "rolled back", Reason: "panic"}}, Answer{RolledBack: "1", Why: "panic"},
		},
	} {
		if got := read(tc.answer); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestClassify(t *testing.T) {
	for code, want := range map[connect.Code]Failure{
		connect.CodeUnauthenticated: keyUnknown, connect.CodePermissionDenied: roleTooLow, connect.CodeFailedPrecondition: refused,
		connect.CodeUnimplemented: refused, connect.CodeAborted: busy, connect.CodeUnavailable: unreachable, connect.CodeUnknown: unreachable,
		connect.CodeDeadlineExceeded: unreachable,
	} {
		got, text := classify(fmt.Errorf("call: %w", connect.NewError(code, errors.New("because"))))
		if got != want || code != connect.CodeUnauthenticated && text != "because" {
			t.Errorf("%v: %s %q, want %s", code, got, text, want)
		}
	}
	if got, text := classify(errors.New("no route")); got != unreachable || text != "no route" {
		t.Errorf("%s %q", got, text)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/hardware"
	"github.com/coracle-os/coracle/machined/state"
)

func TestWrongBoardIsSaid(t *testing.T) {
	d := &daemon{store: state.NewStore(state.Machine{})}
	pi := hardware.Board{Model: "Raspberry Pi 4 Model B", Compatible: []string{"raspberrypi,4-model-b", "brcm,bcm2711"}}
	d.showBoard(pi, []string{"raspberrypi,2-model-b", "raspberrypi,3-model-b"})
	m, _ := d.store.Get()
	if len(m.Conditions) != 1 || m.Conditions[0].Severity != state.Warning || !strings.Contains(m.Conditions[0].Message, pi.Model) || !strings.Contains(m.Conditions[0].Hint, "raspberrypi,3-model-b") {
		t.Errorf("%+v", m.Conditions)
	}
	d.showBoard(pi, []string{"raspberrypi,4-model-b"})
	if says := d.says(); says != "" {
		t.Error(says)
	}
}

func TestMissingMemoryControllerIsSaid(t *testing.T) {
	d := &daemon{store: state.NewStore(state.Machine{})}
	for name, tc := range map[string]struct {
		memory hardware.Memory
		want   string // in the message; empty: nothing is wrong
	}{
		"as it should be":               {hardware.Memory{Limited: true}, ""},
		"an argument":                   {hardware.Memory{Disabled: true}, "cgroup_disable=memory"},
		"built without":                 {hardware.Memory{}, "built without"},
		"an argument that is overruled": {hardware.Memory{Limited: true, Disabled: true}, ""},
	} {
		d.showMemoryControl(tc.memory)
		if says := d.says(); !strings.Contains(says, tc.want) || (says == "") != (tc.want == "") {
			t.Errorf("%s: %q, want %q", name, says, tc.want)
		}
	}
}

package console

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rsc.io/qr"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 23, 0, 41, 29, 0, time.UTC)

func example() state.Machine {
	return state.Machine{
		Name: "coracle-1a2b3c", Role: "server", Version: "0.1.0", Kubernetes: "v1.37.2", Arch: "amd64", Slot: "a", Config: state.Config{Source: "DATA"},
		Addresses: []state.Address{{Interface: "eth0", Prefix: "10.0.2.15/24"}, {Interface: "eth0", Prefix: "fec0::5054:ff:fe12:3456/64"}, {Interface: "eth1", Prefix: "192.0.2.7/24"}},
		API:       state.API{Port: 50000, Fingerprint: "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"},
		Time:      state.Time{Synced: true, Server: "time.cloudflare.com"},
		Data:      state.Disk{Ready: true, Device: "/dev/vda4", Total: 15 << 30, Used: 1300 << 20},
		Memory:    state.Memory{Total: 485 << 20, Available: 271 << 20},
		Kube:      state.Kube{Phase: state.Ready, PID: 7, Status: &control.Status{APIReady: true, NodeReady: true, PodsRunning: 5, PodsTotal: 6}},
	}
}

func TestRender(t *testing.T) {
	for name, change := range map[string]func(*state.Machine){
		"ready": func(*state.Machine) {},
		"starting": func(m *state.Machine) {
			m.Time = state.Time{}
			m.Kube = state.Kube{Phase: state.Starting, Status: &control.Status{Components: []control.Component{
				{Name: "containerd", State: control.Ready}, {Name: "kube-apiserver", State: control.Starting}, {Name: "kubelet", State: control.Waiting},
			}}}
		},
		"no-config": func(m *state.Machine) {
			m.Role, m.Kube, m.Config = "", state.Kube{Phase: state.Off}, state.Config{}
			m.Conditions = []state.Condition{{Severity: state.Error, Message: "This machine has no config.", Hint: "Put a file machine.yaml on the BOOT partition (the first of the disk, FAT) from any computer, then start the machine again. The smallest one has three lines:\napiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}"}}
		},
		"raspberry-pi": func(m *state.Machine) {
			m.Arch, m.Board.Model = "arm64", "Raspberry Pi Compute Module 4 Rev 1.1"
			m.Conditions = []state.Condition{{Severity: state.Warning, Message: "This image has not been made for Raspberry Pi Compute Module 4 Rev 1.1; some of its hardware may not work.", Hint: "write the image that is for this board; this one is for raspberrypi,3-model-b"}}
		},
		"nothing-yet": func(m *state.Machine) {
			*m = state.Machine{Version: "0.1.0", Kubernetes: "v1.37.2", Arch: "arm64", Kube: state.Kube{Phase: state.Off}}
		},
		"much-is-wrong": func(m *state.Machine) {
			m.Kube.Phase = state.Waiting
			for _, s := range []state.Severity{state.Error, state.Error, state.Warning, state.Warning, state.Info, state.Info, state.Info} {
				m.Conditions = append(m.Conditions, state.Condition{Severity: s, Message: "Something – for example a cable – is wrong…", Hint: strings.Repeat("do what helps, then ", 5)})
			}
		},
		"a-very-long-message": func(m *state.Machine) {
			m.Conditions = []state.Condition{{Severity: state.Error, Message: strings.Repeat("machine.yaml:7: machine.network.interfaces[0].dchp: unknown field\n", 30), Hint: "correct it"}}
		},
		"on-trial": func(m *state.Machine) { m.Upgrade.TrialUntil = now.Add(93 * time.Second) },
		"rolled-back": func(m *state.Machine) {
			m.Conditions = []state.Condition{{Severity: state.Warning, Message: "Rolled back version 0.2.0: it did not get healthy in time: kube is not healthy: the Kubernetes API is not ready.", Hint: "`coraclectl slots` has more; install another version, or force this one"}}
		},
		"installing": func(m *state.Machine) {
			m.Kube, m.Install = state.Kube{Phase: state.Off}, state.Install{Step: state.InstallCopies, Disk: "/dev/nvme0n1 (Samsung SSD 980, serial S649, nvme, 500 GB)", Done: 45, Total: 100}
			m.Conditions = []state.Condition{{Severity: state.Info, Message: "Coracle is copied to /dev/nvme0n1 (Samsung SSD 980, serial S649, nvme, 500 GB).", Hint: "the machine starts from there when that is done; a power cut does no harm"}}
		},
		"shutting-down": func(m *state.Machine) { m.ShuttingDown, m.Kube.Phase = "reboot", state.Stopping },
	} {
		t.Run(name, func(t *testing.T) {
			m := example()
			change(&m)
			got := Render(m, now, false)
			lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
			if len(lines) > Rows {
				t.Errorf("%d lines", len(lines))
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(l); n > Columns {
					t.Errorf("%d columns: %s", n, l)
				}
			}
			golden(t, name, got)
			plain := Render(m, now, true)
			for _, escape := range append([]string{"\x1b[0m"}, colours[title], colours[good], colours[warning], colours[bad]) {
				plain = strings.ReplaceAll(plain, escape, "")
			}
			if plain != got {
				t.Error("colours change more than colours")
			}
		})
	}
}

// TestQuickResponse reads the drawing back, module by module.
func TestQuickResponse(t *testing.T) {
	text := "coraclectl -n 192.0.2.7 --fingerprint " + example().API.Fingerprint + " apply -f machine.yaml"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	drawn := quickResponse(text, Rows)
	for y := range code.Size {
		for x := range code.Size {
			r := []rune(drawn[(y+1)/2])[x+1]
			lit := r == '█' || r == map[bool]rune{true: '▀', false: '▄'}[(y+1)%2 == 0]
			if lit == code.Black(x, y) {
				t.Fatalf("module %d, %d is wrong", x, y)
			}
		}
	}
	if quickResponse(text, len(drawn)-1) != nil || quickResponse(strings.Repeat("x", 3000), Rows) != nil {
		t.Error("a code that does not fit is drawn")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s(run with -update when this is meant)", got, want)
	}
}

func TestEscapesInMessagesCannotMoveTheCursor(t *testing.T) {
	m := example()
	m.Conditions = []state.Condition{{Severity: state.Error, Message: "\x1b[2J\x9b1;1H\rboo"}}
	if got := Render(m, now, false); strings.ContainsAny(got, "\x1b\x9b\r") {
		t.Errorf("%q", got)
	}
}

func TestChanges(t *testing.T) {
	wrong := state.Condition{ID: "data", Severity: state.Error, Message: "DATA is full", Hint: "remove something"}
	for name, tc := range map[string]struct {
		old, new func(*state.Machine)
		want     string
	}{
		"nothing":           {func(*state.Machine) {}, func(*state.Machine) {}, ""},
		"new condition":     {func(*state.Machine) {}, func(m *state.Machine) { m.Conditions = []state.Condition{wrong} }, "! DATA is full\n-> remove something"},
		"same condition":    {func(m *state.Machine) { m.Conditions = []state.Condition{wrong} }, func(m *state.Machine) { m.Conditions = []state.Condition{wrong} }, ""},
		"gone":              {func(m *state.Machine) { m.Conditions = []state.Condition{wrong} }, func(*state.Machine) {}, "no longer so: DATA is full"},
		"an address":        {func(*state.Machine) {}, func(m *state.Machine) { m.Addresses = m.Addresses[2:] }, "addresses: eth1 192.0.2.7/24"},
		"memory is no news": {func(*state.Machine) {}, func(m *state.Machine) { m.Memory.Available = 1 }, ""},
		"ready":             {func(m *state.Machine) { m.Kube.Phase = state.Starting }, func(*state.Machine) {}, "Kubernetes is Ready"},
		"no longer ready":   {func(*state.Machine) {}, func(m *state.Machine) { m.Kube.Phase = state.Starting }, "Kubernetes is no longer Ready"},
		"started":           {func(m *state.Machine) { m.Kube.Phase = state.Off }, func(m *state.Machine) { m.Kube.Phase = state.Starting }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			old, new := example(), example()
			tc.old(&old)
			tc.new(&new)
			var got []string
			for _, l := range Changes(old, new) {
				if l.Error {
					l.Text = "! " + l.Text
				}
				got = append(got, l.Text)
			}
			if s := strings.Join(got, "; "); s != tc.want {
				t.Errorf("%q, want %q", s, tc.want)
			}
		})
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("a b\nc", 5)
	f.Add(strings.Repeat("x", 200), 66)
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = 1 + width&0x7f
		for _, l := range wrap(s, width) {
			if len(l) > width {
				t.Errorf("%q is wider than %d", l, width)
			}
		}
	})
}

package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/clock"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/effect"
	"github.com/coracle-os/coracle/machined/network"
	"github.com/coracle-os/coracle/machined/sequence"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

func TestPhasesAreInOrder(t *testing.T) {
	if err := sequence.Check(phases); err != nil {
		t.Error(err)
	}
}

// TestFieldsTakeEffect: what the reference says to take effect without a reboot does.
func TestFieldsTakeEffect(t *testing.T) {
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		need := change.Need(f.Applies)
		if (need == change.Now || need == change.Kube) && strings.Contains(path, ".") && path != "machine.arch" && len(effect.For(effects, []string{path})) == 0 {
			t.Errorf("a change of %s takes effect %q, and nothing does that", path, need)
		}
	})
}

// TestKubeWaitsForNoServer: neither a DHCP server nor a time server that does not answer may keep Kubernetes from running.
func TestKubeWaitsForNoServer(t *testing.T) {
	needs := map[string]bool{"kube": true}
	for _, p := range slices.Backward(phases) {
		if needs[p.Name] {
			for _, name := range p.After {
				needs[name] = true
			}
		}
	}
	for _, name := range []string{"network", "time", "api"} {
		if needs[name] {
			t.Errorf("kube waits for %s", name)
		}
	}
}

func TestKernelArgument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cmdline")
	os.WriteFile(file, []byte("console=tty0 coracle.slot=a coracle.config=http://a/ xcoracle.config=no coracle.config=\"https://b/m.yaml?x=y\" quiet\n"), 0o644)
	if got := kernelArgument(file, "coracle.config"); got != "https://b/m.yaml?x=y" {
		t.Errorf("%q", got)
	}
	if got := kernelArgument(file, "coracle.none"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestTimeServers(t *testing.T) {
	defaults := config.Default().Machine.Time.Servers
	if got, chosen := timeServers(defaults, []string{"192.0.2.1"}); got[0] != "192.0.2.1" || len(got) != len(defaults)+1 || chosen {
		t.Errorf("%v: those of DHCP go before the defaults", got)
	}
	if got, chosen := timeServers([]string{"ntp.example"}, []string{"192.0.2.1"}); !slices.Equal(got, []string{"ntp.example"}) || !chosen {
		t.Errorf("%v: those of the config are the only ones", got)
	}
}

func TestRefusedTimeIsSaid(t *testing.T) {
	d := &daemon{store: state.NewStore(state.Machine{})}
	d.showClock(clock.State{Problem: "x", Refused: true}, false)
	if m, _ := d.store.Get(); len(m.Conditions) != 1 || m.Conditions[0].Severity != state.Warning || !strings.Contains(m.Conditions[0].Hint, "machine.time.servers") {
		t.Errorf("%+v", m.Conditions)
	}
	d.showClock(clock.State{}, false)
	if m, _ := d.store.Get(); len(m.Conditions) != 0 {
		t.Errorf("%+v", m.Conditions)
	}
}

func TestNodeAddresses(t *testing.T) {
	got := nodeAddresses(network.State{
		Addresses:    []network.Address{{Interface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}, {Interface: "eth1", Prefix: netip.MustParsePrefix("198.51.100.7/24")}},
		DefaultRoute: network.DefaultRoute{Interface: "eth1"},
	})
	if len(got) != 2 || got[0].Default || !got[1].Default || got[1].Addr.String() != "198.51.100.7" {
		t.Errorf("%+v", got)
	}
}

func TestRunningNodeIP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.json")
	if ip := runningNodeIP(file); ip.IsValid() {
		t.Errorf("%v without a file", ip)
	}
	os.WriteFile(file, []byte(`{"nodeIPs":["192.0.2.7"]}`), 0o600)
	if ip := runningNodeIP(file); ip.String() != "192.0.2.7" {
		t.Errorf("%v", ip)
	}
}

func TestFetchedConfigHidesItsSecrets(t *testing.T) {
	found := config.Sources{URL: "https://me:secret@example.com/m.yaml?token=secret"}.Find()
	if c := noConfig(found); strings.Contains(c.Message, "secret") || !strings.Contains(c.Message, "https://example.com/m.yaml") {
		t.Error(c.Message)
	}
}

func TestProblemText(t *testing.T) {
	_, err := config.Parse("BOOT/machine.yaml", []byte("machine: {rolle: server}"))
	got := problemText(err, config.Found{Config: &types.MachineConfig{}, From: "the image"})
	for _, want := range []string{"is not valid; that of the image is in force:\n", "BOOT/machine.yaml:1: machine.rolle: unknown field"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %q", got, want)
		}
	}
}

func TestSpaceStaysWhenItCannotBeMeasured(t *testing.T) {
	d := &daemon{log: slog.New(slog.DiscardHandler), store: state.NewStore(state.Machine{})}
	d.showSpace(storage.Space{Size: 1000, Free: 10, Inodes: 10, FreeInodes: 5}, nil)
	d.showSpace(storage.Space{}, errors.New("statfs /var: input/output error"))
	if m, _ := d.store.Get(); m.Data.Total != 1000 || m.Data.Used != 990 || len(m.Conditions) != 1 {
		t.Errorf("%+v", m)
	}
}

package hardware

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/state"
)

func TestLightFollowsTheState(t *testing.T) {
	sys, loaded := sysfs(t), ""
	light := &Light{
		Sys: sys, Board: Board{Compatible: []string{"raspberrypi,4-model-b"}}, Log: slog.New(slog.DiscardHandler),
		LoadModules: func(names ...string) error { loaded += strings.Join(names, " ") + "."; return nil },
	}
	starting, ready := state.Machine{}, state.Machine{Config: state.Config{Source: "DATA"}, Kube: state.Kube{Phase: state.Ready}}
	follow := func(m state.Machine) {
		t.Helper()
		if err := light.follow(m); err != nil {
			t.Fatal(err)
		}
	}
	follow(starting)
	if loaded != "" {
		t.Error("a module is loaded for a machine that has no LED")
	}

	os.Rename(filepath.Join(sysfs(t, "ACT"), "class"), filepath.Join(sys, "class")) // its driver comes
	act := led(filepath.Join(sys, "class/leds/ACT"))
	follow(starting)
	if got := act.holds(t, "pattern"); got != "255 500 255 0 0 500 0 0" {
		t.Errorf("starting: pattern %q", got)
	}
	os.WriteFile(act.file("pattern"), nil, 0o644)
	follow(starting)
	if got := act.holds(t, "pattern"); got != "" {
		t.Error("the same signal again begins its rhythm anew")
	}
	follow(ready)
	if trigger, brightness := act.holds(t, "trigger"), act.holds(t, "brightness"); trigger != "none" || brightness != "255" {
		t.Errorf("ready: trigger %q, brightness %q", trigger, brightness)
	}
	if loaded != "ledtrig_pattern." {
		t.Errorf("modules: %q", loaded)
	}

	// It goes away and comes back, as when its driver is loaded again.
	os.Rename(filepath.Join(sys, "class"), filepath.Join(sys, "gone"))
	follow(ready)
	os.Rename(filepath.Join(sys, "gone"), filepath.Join(sys, "class"))
	os.WriteFile(act.file("brightness"), []byte("0\n"), 0o644)
	follow(ready)
	if got := act.holds(t, "brightness"); got != "255" {
		t.Errorf("the LED that came back has brightness %q", got)
	}
}

// TestLightWithoutModule: the trigger may be built into the kernel.
func TestLightWithoutModule(t *testing.T) {
	sys := sysfs(t, "ACT")
	var said strings.Builder
	light := &Light{
		Sys: sys, Board: Board{Compatible: []string{"raspberrypi,4-model-b"}}, Log: slog.New(slog.NewTextHandler(&said, nil)),
		LoadModules: func(...string) error { return errors.New("no such module") },
	}
	for range 3 {
		light.say(light.follow(state.Machine{}))
	}
	if got := led(filepath.Join(sys, "class/leds/ACT")).holds(t, "pattern"); got == "" {
		t.Error("the LED does not blink")
	}
	if n := strings.Count(said.String(), "no such module"); n != 1 {
		t.Errorf("said %d times", n)
	}

	// A kernel without the trigger: said once, not at each change.
	os.Remove(filepath.Join(sys, "class/leds/ACT/pattern"))
	light.shown = ""
	said.Reset()
	for range 3 {
		light.say(light.follow(state.Machine{}))
	}
	if n := strings.Count(said.String(), "level="); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}

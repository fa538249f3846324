package hardware

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sysfs is a /sys with these LEDs, which light in 255 steps.
func sysfs(t *testing.T, names ...string) string {
	t.Helper()
	sys := t.TempDir()
	for _, name := range names {
		dir := filepath.Join(sys, "class/leds", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string]string{
			"max_brightness": "255\n", "brightness": "0\n", "trigger": "none mmc0 timer pattern [heartbeat] cpu cpu0 default-on\n", "pattern": "\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return sys
}

// holds is what is in a file of an LED.
func (l led) holds(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(l.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestFindLED(t *testing.T) {
	for name, tc := range map[string]struct {
		compatible, leds string
		want             string
	}{
		"Raspberry Pi 4":       {"raspberrypi,4-model-b brcm,bcm2711", "ACT PWR mmc0:: fd580000.ethernet-1:01:green:lan", "ACT"},
		"Raspberry Pi 400":     {"raspberrypi,400 brcm,bcm2711", "PWR mmc0::", "PWR"},
		"an older device tree": {"raspberrypi,3-model-b brcm,bcm2837", "led0 led1", "led0"},
		"power is left alone":  {"raspberrypi,3-model-b brcm,bcm2837", "PWR mmc0::", ""},
		"another board":        {"xunlong,orangepi-pc allwinner,sun8i-h3", "mmc0:: orangepi:green:pwr orangepi:red:status", "orangepi:red:status"},
		"status, not activity": {"vendor,board", "green:activity heartbeat red:status", "red:status"},
		"nothing of its own":   {"linux,dummy-virt", "input0::capslock enp1s0-0::lan", ""},
		"PC":                   {"", "input3::capslock apu:green:status ACT", ""},
		"no LED at all":        {"raspberrypi,4-model-b", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sys := sysfs(t, strings.Fields(tc.leds)...)
			got := findLED(sys, Board{Compatible: strings.Fields(tc.compatible)})
			if want := led(filepath.Join(sys, "class/leds", tc.want)); tc.want != "" && got != want || tc.want == "" && got != "" {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestShow(t *testing.T) {
	l := led(filepath.Join(sysfs(t, "ACT"), "class/leds/ACT"))
	if err := l.show([]time.Duration{100 * time.Millisecond, time.Second}); err != nil {
		t.Fatal(err)
	}
	if trigger, pattern := l.holds(t, "trigger"), l.holds(t, "pattern"); trigger != "pattern" || pattern != "255 100 255 0 0 1000 0 0" {
		t.Errorf("trigger %q, pattern %q", trigger, pattern)
	}
	if err := l.show(nil); err != nil {
		t.Fatal(err)
	}
	if trigger, brightness := l.holds(t, "trigger"), l.holds(t, "brightness"); trigger != "none" || brightness != "255" {
		t.Errorf("trigger %q, brightness %q", trigger, brightness)
	}

	// A kernel without the trigger has no such file.
	if err := os.Remove(l.file("pattern")); err != nil {
		t.Fatal(err)
	}
	if err := l.show([]time.Duration{time.Second, time.Second}); err == nil {
		t.Error("an LED that cannot blink is no error")
	}
	if _, err := os.Stat(l.file("pattern")); err == nil {
		t.Error("a file is made that the kernel does not have")
	}
	os.WriteFile(l.file("max_brightness"), []byte("bright\n"), 0o644)
	if err := l.show(nil); err == nil || !strings.Contains(err.Error(), "max_brightness") {
		t.Errorf("%v", err)
	}
}

package modules

import (
	"reflect"
	"testing"
)

func TestBlacklist(t *testing.T) {
	for cmdline, want := range map[string][]string{
		"console=tty0 quiet":                             nil,
		"modprobe.blacklist=bcm2835-wdt":                 {"bcm2835_wdt"},
		"a modprobe.blacklist=x,,y modprobe.blacklist=z": {"x", "y", "z"},
		"modprobe.blacklist=":                            nil,
	} {
		if got := blacklist(cmdline); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", cmdline, got, want)
		}
	}
}

func TestWithout(t *testing.T) {
	found := map[string][]string{"platform:wdt": {"bcm2835-wdt", "softdog"}, "pci:1": {"nvme"}}
	got := without([]string{"bcm2835_wdt"}, found)
	if want := map[string][]string{"platform:wdt": {"softdog"}, "pci:1": {"nvme"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

package grub

import (
	"bytes"
	"strings"
	"testing"
)

func TestEarlyHasOnlyCommands(t *testing.T) {
	if len(Early()) == 0 {
		t.Fatal("empty")
	}
	for line := range strings.Lines(string(Early())) {
		// The rescue parser has neither comments nor a syntax of its own.
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "search", "set", "configfile", "echo", "sleep", "reboot":
		default:
			t.Errorf("%q is no command of the early configuration", line)
		}
	}
}

func TestSlot(t *testing.T) {
	got, err := Slot([]string{"console=ttyS0,115200", "panic=10"})
	if err != nil {
		t.Fatal(err)
	}
	want := "linux ($slot_device)/vmlinuz coracle.slot=$slot coracle.boot=$boot_uuid console=ttyS0,115200 panic=10 $table $trial $arguments; then"
	if !bytes.Contains(got, []byte(want)) {
		t.Errorf("no %q in\n%s", want, got)
	}
	for _, bad := range []string{"", "a b", "a;reboot", "a$b", "a\nb", `a"b`, "a{b", "a#b"} {
		if _, err := Slot([]string{bad}); err == nil {
			t.Errorf("argument %q: no error", bad)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseArguments(t *testing.T) {
	const id = "0f1e2d3c-0000-4000-8000-000000000001"
	for name, test := range map[string]struct {
		line string
		want arguments
		err  string
	}{
		"good":       {"ro coracle.slot=a coracle.boot=" + strings.ToUpper(id) + " panic=10\n", arguments{"a", id, false}, ""},
		"last wins":  {"coracle.slot=a coracle.boot=" + id + " coracle.slot=b", arguments{"b", id, false}, ""},
		"trial":      {"coracle.slot=b coracle.trial coracle.boot=" + id, arguments{"b", id, true}, ""},
		"MBR":        {"coracle.slot=a coracle.boot=0000CDEF-01", arguments{"a", "0000cdef-01", false}, ""},
		"no slot":    {"coracle.boot=" + id, arguments{}, "coracle.slot is missing"},
		"third slot": {"coracle.slot=c coracle.boot=" + id, arguments{}, `coracle.slot is "c"`},
		"no boot":    {"coracle.slot=b", arguments{}, "coracle.boot is missing"},
	} {
		got, err := parseArguments(test.line)
		if test.err == "" && (err != nil || got != test.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: error %v, want %q", name, err, test.err)
		}
	}
}

func TestExplanation(t *testing.T) {
	deep := fmt.Errorf("open the root: %w", advise(errors.New("the disk is gone"), "Plug it in."))
	got := explanation(deep)
	if want := "CANNOT START: open the root: the disk is gone\nPlug it in.\nThe machine restarts in 10s."; got != want {
		t.Errorf("explanation = %q, want %q", got, want)
	}
	if got := explanation(errors.New("odd")); !strings.Contains(got, "odd") || !strings.Contains(got, reinstall) {
		t.Errorf("without advice: %q", got)
	}
}

func TestProbe(t *testing.T) {
	squashfs := append([]byte("hsqs"), make([]byte, 4092)...)
	erofs := make([]byte, 4096)
	copy(erofs[1024:], []byte{0xe2, 0xe1, 0xf5, 0xe0})
	for want, head := range map[string][]byte{"squashfs": squashfs, "erofs": erofs} {
		if got, err := probe(head); got != want || err != nil {
			t.Errorf("probe = %q, %v, want %s", got, err, want)
		}
	}
	for _, head := range [][]byte{nil, {1, 2, 3}, make([]byte, 4096)} {
		if got, err := probe(head); err == nil {
			t.Errorf("probe(%d bytes of nothing) = %q", len(head), got)
		}
	}
}

package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/vm/console"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"512M": 512 << 20, "8G": 8 << 30, "1T": 1 << 40, "4K": 4096, "1048576": 1 << 20} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "8g", "8GB", "8GM", "-1G", "0", "9999999T", "1.5G"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: no error, got %d", text, got)
		}
	}
}

func TestProgressLine(t *testing.T) {
	for text, want := range map[string]string{
		"[   40.000000] machined: milestone node-ready":             "   42.3 s  node-ready  the node is Ready",
		"[   12.000000] machined: milestone network eth0 10.0.2.15": "   42.3 s  network     the network is up (eth0 10.0.2.15)",
		"[   12.000000] machined: no DHCP server answers on eth0":   "   42.3 s    machined: no DHCP server answers on eth0",
		"[   12.000000] virtio_blk virtio1: [vda]":                  "",
	} {
		if got := progressLine(console.Line{Text: text, Seen: 42300 * time.Millisecond}); got != want {
			t.Errorf("%q gave\n%q, want\n%q", text, got, want)
		}
	}
}

func TestParseRun(t *testing.T) {
	o, err := parseRun([]string{"--memory", "512", "--cpus=1", "--firmware", "bios", "--disk-size", "4G", "--forward", "30080", "--detach"})
	if err != nil {
		t.Fatal(err)
	}
	if o.spec.Memory != 512 || o.spec.CPUs != 1 || o.spec.Firmware != machine.BIOS || o.diskSize != 4<<30 || !o.spec.Detach ||
		len(o.spec.Forward) != 1 || o.spec.Forward[0] != 30080 {
		t.Errorf("got %+v", o)
	}
	for _, args := range [][]string{{"--disk-size", "big"}, {"--forward", "70000"}, {"--no-such-flag"}, {"argument"}} {
		if _, err := parseRun(args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := parseRun([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestReportStop(t *testing.T) {
	for _, c := range []struct {
		name     string
		graceful bool
		err      error
		says     string
		fails    bool
	}{
		{"shut down", true, nil, "shut down", false},
		{"killed", false, nil, "", true},
		{"none", false, machine.ErrNotRunning, "no machine runs in _out/run", false},
		{"broken", false, errors.New("no"), "", true},
	} {
		var out strings.Builder
		err := reportStop(&out, "_out/run", c.graceful, c.err)
		if (err != nil) != c.fails || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %q, %v", c.name, out.String(), err)
		}
	}
}

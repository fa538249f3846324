package modules

import (
	"reflect"
	"slices"
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

func TestBlacklistedAreOnlyLoadedByName(t *testing.T) {
	var k kernel
	l := k.loader(debian)
	l.blacklist = func() []string { return blacklist("modprobe.blacklist=virtio-blk") }
	if _, err := l.Plug("virtio:d00000002v00001AF4", "fs-erofs"); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(k.files, "virtio_blk") || !slices.Contains(k.files, "erofs") {
		t.Errorf("for devices %q were loaded", k.files)
	}
	if err := l.Load("virtio_blk"); err != nil || !slices.Contains(k.files, "virtio_blk") {
		t.Errorf("by its name: %q, %v", k.files, err)
	}
}

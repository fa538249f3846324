package main

import (
	"testing"

	"github.com/coracle-os/coracle/init/uevent"
)

func TestIsRemoval(t *testing.T) {
	card := uevent.Event{Action: "remove", Subsystem: "block", Name: "mmcblk0"}
	for name, c := range map[string]struct {
		event uevent.Event
		disk  string
		want  bool
	}{
		"the machine's disk":                {card, "/dev/mmcblk0", true},
		"another disk":                      {card, "/dev/sda", false},
		"a partition":                       {uevent.Event{Action: "remove", Subsystem: "block", Name: "mmcblk0p2"}, "/dev/mmcblk0", false},
		"a disk appears":                    {uevent.Event{Action: "add", Subsystem: "block", Name: "mmcblk0"}, "/dev/mmcblk0", false},
		"not a block device":                {uevent.Event{Action: "remove", Subsystem: "bsg", Name: "mmcblk0"}, "/dev/mmcblk0", false},
		"a machine that has no disk":        {uevent.Event{Action: "remove", Subsystem: "block"}, "", false},
		"a disk without a name, of no disk": {uevent.Event{Action: "remove", Subsystem: "block"}, "/dev/mmcblk0", false},
	} {
		if got := isRemoval(c.event, c.disk); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

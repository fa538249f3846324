package update

import (
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// stopped are why a trial ended that nobody has given up, by how far it came.
var stopped = map[record.Phase]string{
	record.Armed:    "its kernel or initramfs did not come up, or did not find its disk: a panic, a hang, or the power was cut",
	record.Kernel:   "it stopped before its root was opened: a panic, a hang, or the power was cut",
	record.Root:     "its init did not start: a panic, a hang, or the power was cut",
	record.Init:     "machined did not start: a panic, a hang, or the power was cut",
	record.Machined: "the machine stopped without a word while it was on trial: a panic, a hang, or the power was cut",
}

// damagedSlot is why the version that was good does not run any more.
const damagedSlot = "the boot loader cannot load its kernel or initrd any more: its slot is damaged; install it again"

// reason is why the other slot was rolled back.
func reason(other string, env grubenv.State, r record.Record, watchdog bool) string {
	switch {
	case r.Reason != "":
		return r.Reason
	case env.Failed == other:
		return "the boot loader could not load its kernel or initrd: they are damaged"
	}
	why := stopped[r.Phase]
	if why == "" {
		why = "it did not come up"
	}
	if watchdog {
		why += "; the watchdog reset the machine, so it hung"
	}
	return why
}

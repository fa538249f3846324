//go:build arm || 386

package clock

import "golang.org/x/sys/unix"

// The fields of a timex have the size of the architecture's long.

func setTime(t *unix.Timex, sec, nsec int64) {
	t.Time.Sec, t.Time.Usec = int32(sec), int32(nsec)
}

func setSlew(t *unix.Timex, offset, constant int64) {
	t.Offset, t.Constant = int32(offset), int32(constant)
}

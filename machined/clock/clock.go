// Package clock keeps the system's clock right: it is set by SNTP as soon as a server answers. It is never before the
// build of the release; and never before the time that was saved last, unless two time servers agree that it is, or one
// that the owner chose says so (docs/decisions/0040). Nothing waits for it.
package clock

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// SavedPath is the file whose modification time is the time that was saved last: that costs one inode to write.
const SavedPath = "/var/lib/coracle/clock"

// Floor is the earliest that it can be now by what the machine knows: when the release was built, or the time that was
// saved at path.
func Floor(built time.Time, path string) time.Time {
	st, err := os.Stat(path)
	if err != nil || st.ModTime().Before(built) {
		return built
	}
	return st.ModTime()
}

// Raise sets the system's clock to floor if it is below, and returns whether it was. A machine without a battery for
// its clock starts in 1970, where no certificate is valid yet.
func Raise(floor time.Time) (bool, error) {
	now := time.Now()
	if !now.Before(floor) {
		return false, nil
	}
	if err := (kernel{}).Step(floor.Sub(now)); err != nil {
		return false, fmt.Errorf("set the clock to %s: %w", floor.UTC().Format(time.RFC3339), err)
	}
	return true, nil
}

// Save keeps the present time at path. Its directory must be there: without DATA there is nowhere to keep it.
func Save(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("save the time: %w", err)
	}
	defer f.Close()
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, 0); err != nil {
		return fmt.Errorf("save the time in %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("save the time in %s: %w", path, err)
	}
	return nil
}

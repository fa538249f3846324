package modules

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// modaliases are the files in sysfs that name the module a device wants. Every device with a driver
// is on a bus; input devices and the DMI table, which modules match too, are only in a class. To walk
// all of /sys/devices instead takes ten times as long and finds the same.
var modaliases = []string{
	"bus/*/devices/*/modalias",
	"class/input/*/modalias",
	"class/dmi/*/modalias",
	"devices/system/cpu/modalias",
}

// Coldplug loads the modules that the devices in sysfs (a file system such as os.DirFS("/sys"))
// ask for. Called again, it looks at the devices that appeared since: loading a bus's driver makes
// new ones. It returns how many devices were new. That a module finds no device to drive is not an
// error.
func (l *Loader) Coldplug(sysfs fs.FS) (int, error) {
	var aliases []string
	for _, pattern := range modaliases {
		files, err := fs.Glob(sysfs, pattern)
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			// The device may be gone again, or its file be empty.
			if b, err := fs.ReadFile(sysfs, file); err == nil && len(b) > 0 {
				aliases = append(aliases, strings.TrimSpace(string(b)))
			}
		}
	}
	return l.Plug(aliases...)
}

// Plug loads the modules for devices with the given modaliases, as uevents bring them, except for
// those that were seen before. It returns how many were new.
func (l *Loader) Plug(aliases ...string) (int, error) {
	var fresh []string
	l.mu.Lock()
	for _, a := range aliases {
		if a != "" && !l.tried[a] {
			l.tried[a] = true
			fresh = append(fresh, a)
		}
	}
	l.mu.Unlock()
	_, err := l.load(fresh)
	return len(fresh), ignore(err, syscall.ENODEV, fs.ErrNotExist)
}

// ignore drops the errors among those joined in err that are one of harmless. A module that drives
// nothing says ENODEV, and one that the image does not carry, though its index knows it, is not there.
func ignore(err error, harmless ...error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var kept []error
	for _, e := range joined.Unwrap() {
		bad := true
		for _, h := range harmless {
			bad = bad && !errors.Is(e, h)
		}
		if bad {
			kept = append(kept, e)
		}
	}
	return errors.Join(kept...)
}

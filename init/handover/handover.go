// Package handover is what stage 1 of init tells the root that it started.
package handover

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Path is where the handover is; /run is mounted by stage 1 and moved into the root.
const Path = "/run/coracle/boot.json"

// Boot says what was booted, and from where.
type Boot struct {
	Slot       string `json:"slot"`       // "a" or "b"
	Version    string `json:"version"`    // version in the slot's layout
	Disk       string `json:"disk"`       // whole disk, such as /dev/vda
	Boot       string `json:"boot"`       // BOOT partition, such as /dev/vda1
	SlotDevice string `json:"slotDevice"` // partition of the slot, such as /dev/vda2
	Root       string `json:"root"`       // verity device of the root, such as /dev/dm-1
	RootHash   string `json:"rootHash"`   // hex
	ImageSize  uint64 `json:"imageSize"`  // bytes of the slot image

	// Trial is that the boot loader boots this slot once, unless it is confirmed.
	Trial bool `json:"trial,omitempty"`
	// Watchdog is the file descriptor at which the root's init inherits a watchdog that is armed; 0: none.
	Watchdog int `json:"watchdog,omitempty"`
	// WatchdogReset is that the watchdog says that it reset the machine before this boot.
	WatchdogReset bool `json:"watchdogReset,omitempty"`
}

// Write stores b at path.
func Write(path string, b Boot) error {
	out, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o644)
}

// Read reads what stage 1 left at path.
func Read(path string) (Boot, error) {
	var b Boot
	in, err := os.ReadFile(path)
	if err != nil {
		return b, fmt.Errorf("read what was booted: %w", err)
	}
	if err := json.Unmarshal(in, &b); err != nil {
		return b, fmt.Errorf("parse %s: %w", path, err)
	}
	return b, nil
}

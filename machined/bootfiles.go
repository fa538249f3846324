package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	index "github.com/coracle-os/coracle/images/bootfiles"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
	"github.com/coracle-os/coracle/machined/update/bootfiles"
)

const (
	conditionBootFiles = "upgrade.boot-files"
	// bootFilesAfter is when a machine that boots as usual compares its boot files, after machined's start: mostly there is nothing to do,
	// and Kubernetes starts meanwhile.
	bootFilesAfter = 2 * time.Minute
)

// keepBootFiles brings the files of BOOT to those of the version that runs: once it is confirmed, and later in each boot, for a power cut
// may have come in between. It runs without the monitor: a disk that does not answer is no reason to restart the machine.
func (d *daemon) keepBootFiles() {
	later := time.After(bootFilesAfter)
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.confirmed:
		case <-later:
		}
		d.putBootFiles()
	}
}

// putBootFiles does that, unless the version is on trial.
func (d *daemon) putBootFiles() {
	confirmed, err := d.updater.Confirmed()
	kind := index.UEFI
	if confirmed {
		var mbr bool
		if mbr, err = storage.HasMBR(d.boot); mbr {
			kind = index.RaspberryPi
		}
	}
	var r bootfiles.Result
	if confirmed && err == nil {
		k := bootfiles.Keeper{
			Index: kind.IndexPath(), Root: os.DirFS(kind.Dir()),
			Mount: func(readwrite bool, do func(string) error) error { return storage.WithBoot(d.boot, readwrite, do) },
		}
		if d.dataReady {
			k.Ours = updateDir + "/boot.json"
		}
		r, err = k.Run(d.ctx)
	}
	if d.ctx.Err() != nil { // the machine goes down; the next boot goes on
		return
	}
	d.showBootFiles(r, err)
}

// showBootFiles says what became of BOOT's files.
func (d *daemon) showBootFiles(r bootfiles.Result, err error) {
	if text := bootFilesText(d.release.Version, r); err == nil && text != "" {
		d.log.Warn(text)
		d.api.Backend.Events.Add(events.Event{Kind: events.Upgrade, Severity: state.Info, Message: text})
	} else if len(r.Kept) > 0 {
		d.log.Info("files on BOOT that were changed are left alone: " + strings.Join(r.Kept, ", "))
	}
	d.store.Put(err != nil, state.Condition{
		ID: conditionBootFiles, Severity: state.Warning, Message: fmt.Sprintf("Boot files of %s are not in place: %v.", d.release.Version, err),
		Hint: "the machine boots with those that it has; it is tried again at the next boot",
	})
}

// bootFilesText is empty when nothing was replaced.
func bootFilesText(version string, r bootfiles.Result) string {
	if len(r.Replaced) == 0 {
		return ""
	}
	text := fmt.Sprintf("Boot files of %s are in place: %s", version, strings.Join(r.Replaced, ", "))
	if len(r.Kept) > 0 {
		text += "; left alone, as they were changed: " + strings.Join(r.Kept, ", ")
	}
	return text
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
	"github.com/coracle-os/coracle/init/uevent"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

const (
	lookAgain    = 500 * time.Millisecond // Without any message: a disk's table may be read late.
	settle       = 10 * time.Millisecond  // Messages come in bursts, one look is enough for each.
	firstMessage = 5 * time.Second
	nextMessages = 10 * time.Second
)

// await loads the modules for the devices that are there until the slot's disk is among them. It does not wait for
// the modules: one may take seconds to look for disks that are not there.
func await(loader *modules.Loader, args arguments, limit time.Duration) (place, error) {
	events, err := uevent.Listen() // Before the first look, so that nothing falls in between.
	if err != nil {
		return place{}, err
	}
	defer events.Close()
	sysfs := os.DirFS("/sys")
	look := make(chan struct{}, 1)
	defer close(look)
	go coldplug(loader, sysfs, look)
	start := time.Now()
	report := start.Add(firstMessage)
	for {
		select {
		case look <- struct{}{}:
		default: // It will look anyway, later than now.
		}
		disks := findDisks(sysfs)
		places, problems := choose(disks, readIDs, args)
		if len(places) > 1 {
			kmsg.Notice(component, "%d disks are copies of each other, with the same BOOT partition and slot: using %s, not %s. "+
				"Remove one of them", len(places), places[0].disk, places[1].disk)
		}
		if len(places) > 0 {
			return places[0], nil
		}
		missing := fmt.Errorf("no disk has BOOT partition %s and partition coracle-%s; disks: %s",
			args.boot, args.slot, describe(disks))
		missing = errors.Join(append([]error{missing}, problems...)...)
		now := time.Now()
		if now.Sub(start) > limit {
			return place{}, advise(fmt.Errorf("after %v %w", limit, missing),
				"Check that the disk is connected and its controller supported. If it was replaced or changed, "+
					"write the image to it again.")
		}
		if now.After(report) {
			kmsg.Notice(component, "waiting since %v: %v", now.Sub(start).Round(time.Second), missing)
			report = now.Add(nextMessages)
		}
		waitForEvents(events)
	}
}

// coldplug loads modules each time it is asked to look.
func coldplug(loader *modules.Loader, sysfs fs.FS, look <-chan struct{}) {
	for range look {
		if _, err := loader.Coldplug(sysfs); err != nil {
			kmsg.Info(component, "%v", err)
		}
	}
}

// waitForEvents returns when something has happened and it is quiet again, or when it is time to look anyway.
func waitForEvents(events *uevent.Conn) {
	deadline := time.Now().Add(lookAgain)
	for {
		_, err := events.Receive(deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil && !errors.Is(err, uevent.ErrLost):
			time.Sleep(lookAgain)
			return
		}
		if quiet := time.Now().Add(settle); quiet.Before(deadline) {
			deadline = quiet
		}
	}
}

// readIDs reads the partition table of a disk. The kernel knows the PARTUUIDs too, but only 6.13 and later show them in
// sysfs.
func readIDs(d disk) (map[int]string, error) {
	f, err := os.Open("/dev/" + d.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table, _, err := partitions.Read(f, int64(d.size), d.sectorSize)
	if err != nil {
		return nil, err
	}
	ids := make(map[int]string)
	for i, p := range table.Partitions {
		if p.Used() {
			ids[i+1] = table.PARTUUID(i + 1)
		}
	}
	return ids, nil
}

package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

// prepareStorage makes, checks, grows and mounts DATA.
func (d *daemon) prepareStorage(ctx context.Context) error {
	report, err := storage.Prepare(ctx, d.boot, func(what string) { d.log.Warn(what) })
	for _, note := range report.Notes {
		d.log.Warn(note)
	}
	if err != nil {
		d.store.Set(state.Condition{ID: "data", Severity: state.Error, Message: fmt.Sprintf("DATA cannot be used, so Kubernetes does not run: %v", err), Hint: "the machine API answers; its key is a new one each time until DATA works"})
		return nil // said
	}
	d.dataReady = true
	d.store.Update(func(m *state.Machine) {
		m.Data.Ready, m.Data.Device, m.Data.Total = true, report.Device, report.Size
	})
	d.milestone("data", fmt.Sprintf("%s %d MiB", report.Device, report.Size>>20))
	return nil
}

// mountMedia mounts a volume labelled CORACLE.
func (d *daemon) mountMedia(ctx context.Context) error {
	media, err := storage.MountMedia(ctx)
	d.mu.Lock()
	d.media = media
	d.mu.Unlock()
	if media != "" {
		d.log.Warn("a volume labelled CORACLE is attached: its images are imported")
	}
	return err
}

// keyPath is the machine's key, on DATA.
const keyPath = "/var/lib/coracle/keys/machine.key"

// identify gives the machine its ID and its key; without DATA, new ones for as long as it runs.
func (d *daemon) identify(context.Context) error {
	var problem error
	if d.dataReady {
		d.id, problem = host.ID(host.IDPath)
	} else {
		d.id = host.NewID()
	}
	key, err := d.key()
	if err != nil {
		return err
	}
	fingerprint := keys.Public(key).Fingerprint()
	d.store.Update(func(m *state.Machine) {
		m.MachineID, m.API.Fingerprint = d.id, fingerprint
	})
	d.machineKey = key
	if err := host.WriteMachineID(host.EtcDir, d.id); err != nil {
		return err
	}
	return problem
}

func (d *daemon) key() (ed25519.PrivateKey, error) {
	if !d.dataReady {
		return keys.Generate()
	}
	key, err := keys.LoadOrCreate(keyPath)
	if err == nil {
		return key, nil
	}
	d.store.Set(state.Condition{ID: "key", Severity: state.Error, Message: fmt.Sprintf("The machine's key cannot be used: %v. Until it can, a new one is made at each start.", err), Hint: "operators see another fingerprint than the one that they know"})
	return keys.Generate()
}

// imagesOnMedia is the folder of container images on the attached volume; empty when there is none.
func (d *daemon) imagesOnMedia() string {
	d.mu.Lock()
	media := d.media
	d.mu.Unlock()
	if media == "" {
		return ""
	}
	dir := filepath.Join(media, "images")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

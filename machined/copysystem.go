package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/clock"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/effect"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/install"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// notCopied are files on BOOT that are this disk's alone: configs, which the copy has on DATA.
var notCopied = []string{config.BootName, config.ImportedName}

// moves are the files of machined's state that the copy has too: who the machine is, and its config.
var moves = []string{
	strings.TrimPrefix(keyPath, stateDir+"/"), strings.TrimPrefix(host.IDPath, stateDir+"/"), strings.TrimPrefix(host.GivenNamePath, stateDir+"/"),
	"config/machine.yaml", "config/machine.yaml.previous", "config/machine.yaml.staged",
}

// copyTo copies the system to a disk, with the machine's identity and config.
func (d *daemon) copyTo(disk inspect.Disk) error {
	old, err := storage.ReadTable(d.boot)
	if err != nil {
		return err
	}
	source, _, err := direct.Open(d.boot.Disk)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := storage.OpenTarget("/dev/"+disk.Name, int(old.SectorSize))
	if err != nil {
		return err
	}
	defer target.Close()
	table, err := storage.TableFor(old, uint64(target.Size))
	if err != nil {
		return err
	}
	made := install.Made{Table: table.ID(), Disk: install.Describe(disk), Machine: d.id, Time: time.Now().UTC()}
	said := -1
	c := install.Copier{
		Source: source, Old: old, Slot: d.boot.Slot, ImageSize: d.boot.ImageSize, Target: target, Size: target.Size, New: table, Alone: storage.BootAlone,
		Fill: func(ctx context.Context) error {
			devices, err := target.Partition(table)
			if err != nil {
				return err
			}
			if err := storage.FillBoot(devices[table.Find("coracle-boot")], d.boot.Slot, notCopied); err != nil {
				return fmt.Errorf("the copy of BOOT: %w", err)
			}
			err = storage.FillData(ctx, devices[table.Find("coracle-data")], func(what string) { d.log.Info(what) }, func(dir string) error {
				return moveIn(stateDir, storage.DataDir(dir), made)
			})
			if err != nil {
				return fmt.Errorf("DATA of the copy: %w", err)
			}
			return nil
		},
		Remember: func() error { return install.Remember(stateDir, made) },
		Progress: func(p install.Progress) {
			if percent := int(p.Done * 100 / max(1, p.Total)); percent != said {
				said = percent
				d.store.Update(func(m *state.Machine) { m.Install.Done, m.Install.Total = p.Done, p.Total })
			}
		},
	}
	return c.Run(d.ctx)
}

// moveIn gives the copy whose state is in the folder to the identity and the config of the one in from.
func moveIn(from, to string, made install.Made) error {
	for _, name := range moves {
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(from, name))
		if err != nil {
			return err
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(path, content, info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := clock.Save(filepath.Join(to, filepath.Base(clock.SavedPath))); err != nil {
		return err
	}
	return install.MarkInstalled(to, made)
}

// waitForCopy is how long a disk may take to appear that has the machine's identity.
const waitForCopy = 15 * time.Second

// leaveIdentity forgets who the machine is if that went with a copy to a disk that is not there: a stick that has installed one
// machine, and is in another by now, would make a second of the same identity.
func (d *daemon) leaveIdentity(ctx context.Context) error {
	if !d.dataReady || (owned{d}).Cluster() {
		return nil
	}
	copies, err := install.Copies(stateDir)
	if err != nil || len(copies) == 0 {
		return err
	}
	id, err := host.ID(host.IDPath)
	if err != nil {
		return err
	}
	last := install.CopyOf(copies, id)
	if last == nil {
		return nil
	}
	for deadline := time.Now().Add(waitForCopy); ; {
		if d.isAttached(last.Table) {
			return nil
		}
		if time.Now().After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	d.log.Warn("this system was installed on " + last.Disk + ", which is not in this machine: the machine gets an identity of its own")
	for _, path := range []string{keyPath, host.GivenNamePath, host.IDPath} { // the ID last: until then it is tried again
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return atomicfile.SyncDir(stateDir)
}

// isAttached is whether a disk with that partition table is in the machine.
func (d *daemon) isAttached(table string) bool {
	disks, err := inspect.Host().Disks(nil, d.boot.Disk)
	if err != nil {
		return true // it is not known that it is not
	}
	return slices.ContainsFunc(disks, func(disk inspect.Disk) bool {
		if disk.Boot {
			return false
		}
		c, err := storage.Look("/dev/"+disk.Name, d.boot.Disk)
		return err == nil && c.Table == table
	})
}

// concernsInstall is whether a field is one of machine.install.
func concernsInstall(field string) bool {
	return len(effect.For([]effect.Effect[*daemon]{{Fields: []string{"machine.install"}}}, []string{field})) > 0
}

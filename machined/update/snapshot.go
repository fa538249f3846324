package update

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

// A newer minor version of Kubernetes stores objects in forms that an older cannot read. So the datastore is kept as it was
// before one is tried, and put back when that is rolled back. What the cluster stored during the trial is lost then. A
// snapshot is of the one trial that comes next or is under way: it is forgotten when another is armed, and at the first boot
// after the version was confirmed.

// snapshotName is the folder with the datastore's files, in [Updater.Dir]; unfinishedName while they come and go: nothing
// in it counts.
const (
	snapshotName   = "datastore"
	unfinishedName = "datastore.unfinished"
	rejectedSuffix = ".rolled-back" // what the trial has left
)

// databaseSuffixes are SQLite's files of a database, those that mean nothing without the others first. SQLite makes the
// last of them, -shm, anew.
var databaseSuffixes = []string{"-shm", "-wal", ""}

// BeforeRestart is called when kube has stopped and the machine goes down. It notes that when it ends a trial; when a
// version with another minor version of Kubernetes is tried next, it keeps the datastore.
func (u *Updater) BeforeRestart(why string) error {
	if u.Boot.Disk == "" || u.Dir == "" {
		return nil
	}
	if u.onTrial() {
		return u.updateRecord(u.Boot.Slot, func(r *record.Record) {
			if r.Reason == "" {
				r.Reason = "the machine went down before it was confirmed: " + why
			}
		})
	}
	env, _, err := u.Environment.Read()
	if err != nil || env.Try == "" {
		return err
	}
	next, err := u.readRecord(env.Try)
	if err != nil {
		return err
	}
	return u.keepDatastore(u.Release.Kubernetes, next.Kubernetes)
}

// keepDatastore keeps the datastore of one version of Kubernetes before another is tried, unless it has been.
func (u *Updater) keepDatastore(from, to string) error {
	if u.Dir == "" || sameMinor(from, to) || exists(filepath.Join(u.Dir, snapshotName)) {
		return nil
	}
	u.Log.Warn(fmt.Sprintf("the datastore is kept as it is before Kubernetes %s is tried", to))
	if err := takeSnapshot(u.Dir, u.Database); err != nil {
		return fmt.Errorf("keep the datastore as it is before Kubernetes %s is tried: %w", to, err)
	}
	return nil
}

// restoreDatastore puts the datastore back that was kept before a trial. The one of the trial is kept beside it.
func (u *Updater) restoreDatastore() error {
	if u.Dir == "" || !exists(filepath.Join(u.Dir, snapshotName)) {
		return nil
	}
	u.Log.Warn("the datastore is put back as it was before another version of Kubernetes was tried")
	if err := putBack(u.Dir, u.Database); err != nil {
		return fmt.Errorf("put the datastore back as it was before the trial: %w", err)
	}
	return nil
}

func sameMinor(a, b string) bool {
	x, _ := minor(a)
	y, _ := minor(b)
	return x == y
}

// exists is whether something is at path, as far as that can be known.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// stepped is called between changes on the disk; in tests the power is cut there.
var stepped = func() {}

// takeSnapshot copies a database that nobody has open. Without a database there is nothing to keep.
func takeSnapshot(dir, database string) error {
	err := copyDatabase(dir, database)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, unfinishedName))) // it may be what has filled the disk
	}
	return err
}

func copyDatabase(dir, database string) error {
	unfinished := filepath.Join(dir, unfinishedName)
	if err := os.RemoveAll(unfinished); err != nil || !exists(database) {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o700); err != nil {
		return err
	}
	for _, suffix := range databaseSuffixes[1:] {
		stepped()
		err := copyFile(filepath.Join(unfinished, filepath.Base(database)+suffix), database+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := atomicfile.SyncDir(unfinished); err != nil {
		return err
	}
	stepped()
	if err := os.Rename(unfinished, filepath.Join(dir, snapshotName)); err != nil {
		return err
	}
	return atomicfile.SyncDir(dir)
}

// putBack replaces a database by its snapshot. Nobody has it open. Cut off anywhere, it can be called again.
func putBack(dir, database string) error {
	kept, rejected := filepath.Join(dir, snapshotName), database+rejectedSuffix
	first := !exists(rejected) // else an earlier call has put the trial's files aside
	for _, suffix := range databaseSuffixes {
		stepped()
		var err error
		if first {
			err = os.Rename(database+suffix, rejected+suffix)
		} else {
			err = os.Remove(database + suffix)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, suffix := range databaseSuffixes[1:] {
		stepped()
		// A second name of the same file takes no room. The first goes before kube starts.
		err := os.Link(filepath.Join(kept, filepath.Base(database)+suffix), database+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := atomicfile.SyncDir(filepath.Dir(database)); err != nil {
		return err
	}
	stepped()
	return forget(dir)
}

// forget takes a snapshot away: at once, or not at all.
func forget(dir string) error {
	unfinished := filepath.Join(dir, unfinishedName)
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	err := os.Rename(filepath.Join(dir, snapshotName), unfinished)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := errors.Join(err, atomicfile.SyncDir(dir)); err != nil {
		return err
	}
	stepped()
	return os.RemoveAll(unfinished)
}

// dropSnapshot forgets a snapshot, and what an earlier trial has left of the database.
func dropSnapshot(dir, database string) error {
	if err := forget(dir); err != nil {
		return err
	}
	for _, suffix := range databaseSuffixes {
		if err := os.Remove(database + rejectedSuffix + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file, and returns when its content is on the disk.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

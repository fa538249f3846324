package update

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/images/slot/record"
)

// A newer minor version of Kubernetes stores objects in forms that an older cannot read. So the datastore is kept as it was
// before one is tried, and put back when that is rolled back. What the cluster stored during the trial is lost then.

// snapshotName is the folder with the datastore's files, in [Updater.Dir]; unfinishedName while they are copied.
const (
	snapshotName   = "datastore"
	unfinishedName = "datastore.unfinished"
	rejectedSuffix = ".rolled-back"
)

// databaseSuffixes are SQLite's files of a database.
var databaseSuffixes = []string{"", "-wal", "-shm"}

// BeforeRestart is called when kube has stopped and the machine goes down. When a version with another minor version of
// Kubernetes is tried next, it keeps the datastore.
func (u *Updater) BeforeRestart() error {
	if u.Boot.Disk == "" || u.Dir == "" {
		return nil
	}
	env, _, err := u.Environment.Read()
	if err != nil || env.Try == "" {
		return err
	}
	next, err := u.readRecord(env.Try)
	if err != nil || sameMinor(next.Kubernetes, u.Release.Kubernetes) {
		return err
	}
	u.Log.Warn(fmt.Sprintf("the datastore is kept as it is before Kubernetes %s is tried", next.Kubernetes))
	if err := keep(u.Dir, u.Database); err != nil {
		return fmt.Errorf("keep the datastore: %w", err)
	}
	return nil
}

// restoreDatastore puts the datastore back that was kept before the version of r was tried. The one of the trial is kept
// beside it.
func (u *Updater) restoreDatastore(r record.Record) error {
	kept := filepath.Join(u.Dir, snapshotName)
	if sameMinor(r.Kubernetes, u.Release.Kubernetes) || u.Dir == "" {
		return nil
	}
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		return nil // kube had none yet
	}
	u.Log.Warn(fmt.Sprintf("the datastore is put back as it was before Kubernetes %s was tried", r.Kubernetes))
	if err := putBack(kept, u.Database); err != nil {
		return fmt.Errorf("put the datastore back: %w", err)
	}
	return nil
}

func sameMinor(a, b string) bool {
	x, _ := minor(a)
	y, _ := minor(b)
	return x == y
}

// keep copies a database that nobody has open to the snapshot, in place of the one before.
func keep(dir, database string) error {
	to := filepath.Join(dir, unfinishedName)
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o700)); err != nil {
		return err
	}
	found := false
	for _, suffix := range databaseSuffixes {
		err := copyFile(filepath.Join(to, filepath.Base(database)+suffix), database+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		found = found || err == nil
	}
	kept := filepath.Join(dir, snapshotName)
	if err := os.RemoveAll(kept); err != nil || !found {
		return err
	}
	return errors.Join(os.Rename(to, kept), syncFolder(dir))
}

// putBack replaces a database by the one in kept. Cut off anywhere, it can be called again.
func putBack(kept, database string) error {
	for _, suffix := range databaseSuffixes {
		err := os.Rename(database+suffix, database+rejectedSuffix+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// The database itself last: without it the others mean nothing.
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := copyFile(database+suffix, filepath.Join(kept, filepath.Base(database)+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(syncFolder(filepath.Dir(database)), os.RemoveAll(kept), syncFolder(filepath.Dir(kept)))
}

// copyFile copies a file, and returns when it is on the disk under its name.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	partial := to + ".partial"
	out, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(partial, to)
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

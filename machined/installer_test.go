package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/install"
	"github.com/coracle-os/coracle/machined/state"
)

func TestCopyBegins(t *testing.T) {
	disk, stick := inspect.Disk{Name: "nvme0n1", Size: 1}, inspect.Disk{Name: "sda", Size: 2}
	toCopy := install.Verdict{Step: install.Copy, Disk: disk}
	start := time.Now()
	var i installer
	for _, step := range []struct {
		name  string
		after time.Duration
		disks []inspect.Disk
		v     install.Verdict
		ended error // of a copy that has begun, before
		want  install.Step
		begin bool
	}{
		{"disks are still coming", 0, []inspect.Disk{disk}, toCopy, nil, install.Copy, false},
		{"another comes", 9 * time.Second, []inspect.Disk{disk, stick}, toCopy, nil, install.Copy, false},
		{"not yet settled", 18 * time.Second, []inspect.Disk{disk, stick}, toCopy, nil, install.Copy, false},
		{"settled, but it cannot be", 30 * time.Second, []inspect.Disk{disk, stick}, install.Verdict{Step: install.Wait}, nil, install.Wait, false},
		{"settled", 31 * time.Second, []inspect.Disk{disk, stick}, toCopy, nil, install.Copy, true},
		{"it failed", 40 * time.Second, []inspect.Disk{disk, stick}, toCopy, errors.New("the disk is failing"), install.Wait, false},
		{"a disk was taken away", 50 * time.Second, []inspect.Disk{disk}, toCopy, nil, install.Copy, false},
		{"settled again", 61 * time.Second, []inspect.Disk{disk}, toCopy, nil, install.Copy, true},
	} {
		if step.ended != nil {
			i.ended(step.ended)
		}
		v, begin := i.next(install.Situation{Disks: step.disks}, step.v, start.Add(step.after))
		if v.Step != step.want || begin != step.begin || i.copying != step.begin {
			t.Errorf("%s: %+v, begin %v", step.name, v, begin)
		}
		if step.ended != nil && !strings.Contains(v.Why, step.ended.Error()) {
			t.Errorf("%s: it says %q", step.name, v.Why)
		}
	}
	i.ended(nil)
	if !i.copying {
		t.Error("after a copy that succeeded a config may be applied, which would not be in it")
	}
}

func TestShowInstall(t *testing.T) {
	d := &daemon{store: state.NewStore(state.Machine{})}
	for _, step := range []struct {
		v        install.Verdict
		severity state.Severity // empty: no condition
		step     string
	}{
		{install.Verdict{Step: install.Wait, Why: "No disk matches."}, state.Error, "waiting"},
		{install.Verdict{Step: install.Wait, Why: "A config is tried.", Soon: true}, state.Info, "waiting"},
		{install.Verdict{Step: install.Copy, Disk: inspect.Disk{Name: "sda"}}, state.Info, "copying"},
		{install.Verdict{Step: install.Done, Why: "Installed.", Disk: inspect.Disk{Name: "sda"}}, state.Warning, "installed"},
		{install.Verdict{Step: install.Run, Why: "It has a cluster."}, state.Warning, ""},
		{install.Verdict{Step: install.Run}, "", ""},
	} {
		d.showInstall(step.v)
		m, _ := d.store.Get()
		if m.Install.Step != step.step || strings.Contains(m.Install.Disk, "/dev/sda") != (step.v.Disk.Name != "") {
			t.Errorf("%+v: the state is %+v", step.v, m.Install)
		}
		if len(m.Conditions) > 1 || (len(m.Conditions) == 1) != (step.severity != "") || step.severity != "" && m.Conditions[0].Severity != step.severity {
			t.Errorf("%+v: conditions are %+v", step.v, m.Conditions)
		}
	}
}

func TestMoveIn(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"keys/machine.key": 0o600, "machine-id": 0o444, "config/machine.yaml": 0o600, "config/machine.yaml.new": 0o600, "boots.json": 0o600, "installs.json": 0o600, "kube/db/state.db": 0o600,
	} {
		path := filepath.Join(from, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := moveIn(from, to, install.Made{Table: "id"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	filepath.WalkDir(to, func(path string, e os.DirEntry, err error) error {
		if name, _ := filepath.Rel(to, path); !e.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if want := []string{"clock", "config/machine.yaml", "installed.json", "keys/machine.key", "machine-id"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if info, err := os.Stat(filepath.Join(to, "keys/machine.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(to, "clock")); err != nil || time.Since(info.ModTime()).Abs() > time.Minute {
		t.Errorf("the saved time: %v, %v", info.ModTime(), err)
	}
}

func TestConcernsInstall(t *testing.T) {
	for field, want := range map[string]bool{"machine": true, "machine.install": true, "machine.install.disk.serial": true, "machine.installed": false, "cluster": false, "machine.name": false} {
		if concernsInstall(field) != want {
			t.Errorf("%s: %v", field, !want)
		}
	}
}

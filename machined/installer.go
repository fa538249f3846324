package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/install"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

const (
	conditionInstall = "install"

	// stateDir is the folder of machined's state on DATA.
	stateDir = "/var/lib/coracle"

	// lookForDisks is how often a machine that is not installed looks at its disks.
	lookForDisks = 3 * time.Second
	// disksSettle is how long no disk must have come or gone before one is overwritten: at the start they come one after another, and
	// another may match too.
	disksSettle = 10 * time.Second
)

// installer is a machine that is to be installed on another disk.
type installer struct {
	wake chan struct{} // a signal that the config is another

	mu      sync.Mutex
	active  bool           // it is one, and does not start Kubernetes
	copying bool           // to a disk, from which the machine is then started
	failed  error          // of the last copy; it is tried again with other disks, or another config
	disks   []inspect.Disk // that there were last
	since   time.Time      // when they changed
}

func newInstaller() installer { return installer{wake: make(chan struct{}, 1)} }

// next is what to do at that time in a situation in which v was decided, and whether a copy begins.
func (i *installer) next(s install.Situation, v install.Verdict, now time.Time) (install.Verdict, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !reflect.DeepEqual(s.Disks, i.disks) {
		i.disks, i.since, i.failed = s.Disks, now, nil
	}
	if v.Step == install.Copy && i.failed != nil {
		return install.Verdict{
			Step: install.Wait, Disk: v.Disk, Why: fmt.Sprintf("Coracle could not be copied to %s: %v.", install.Describe(v.Disk), i.failed),
			Hint: "use another disk; it is tried again when a disk was attached or taken away, with another config, or after a restart",
		}, false
	}
	i.copying = v.Step == install.Copy && now.Sub(i.since) >= disksSettle
	return v, i.copying
}

// ended is that a copy has. One that succeeded lasts until the machine has restarted: nothing else begins before.
func (i *installer) ended(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.copying, i.failed = err == nil, err
}

// installs is whether the machine is to be installed, and so does not start Kubernetes.
func (d *daemon) installs() bool {
	d.installer.mu.Lock()
	defer d.installer.mu.Unlock()
	return d.installer.active
}

// prepareInstall decides at the start whether the machine is to be installed.
func (d *daemon) prepareInstall(ctx context.Context) error {
	storage.ReleaseTarget()
	return d.takeInstall(ctx)
}

// takeInstall decides whether the machine is to be installed, and has that begin. It may be called again. No config is being applied
// but the one that this is for.
func (d *daemon) takeInstall(ctx context.Context) error {
	c, _ := d.current()
	v := install.Decide(d.situation(c.Machine.Install))
	d.installer.mu.Lock()
	if d.installer.copying {
		d.installer.mu.Unlock()
		return nil
	}
	was := d.installer.active
	d.installer.active, d.installer.failed = v.Step != install.Run, nil
	d.installer.mu.Unlock()
	d.showInstall(v)
	select {
	case d.installer.wake <- struct{}{}:
	default:
	}
	switch {
	case v.Step != install.Run:
		d.kube.Dismiss()
	case was:
		return d.startKube(ctx)
	}
	return nil
}

// situation is what is known for the decision about machine.install.
func (d *daemon) situation(c *types.Install) install.Situation {
	s := install.Situation{Config: c, Cluster: owned{d}.Cluster(), Look: d.lookAtTarget}
	if c == nil {
		return s
	}
	d.mu.Lock()
	s.Cluster = s.Cluster || d.node != nil
	d.mu.Unlock()
	m, _ := d.store.Get()
	until, _ := d.updater.Brief()
	switch {
	case !m.Config.TryUntil.IsZero():
		s.Pending = "The machine is installed when the config is confirmed that is being tried."
	case !until.IsZero():
		s.Pending = "The machine is installed when the version is confirmed that is on trial."
	}
	var err, copies error
	if d.dataReady {
		s.Installed, err = install.IsInstalled(stateDir)
		s.Copies, copies = install.Copies(stateDir)
		s.Obstacle = errors.Join(err, copies) // a disk that was installed must not be erased
	} else {
		s.Obstacle = errors.New("DATA cannot be used on the disk that the machine runs from")
	}
	if s.Disks, err = inspect.Host().Disks(nil, d.boot.Disk); err != nil {
		d.log.Error("install", "error", err)
	}
	for i := range s.Disks {
		s.Disks[i].Partitions = nil // only the disks matter, and whether they are the same
	}
	return s
}

// lookAtTarget looks at a disk that the machine could be installed on.
func (d *daemon) lookAtTarget(disk inspect.Disk) install.Target {
	path := "/dev/" + disk.Name
	old, err := storage.ReadTable(d.boot)
	if err != nil {
		return install.Target{Problem: err}
	}
	contents, err := storage.Look(path, d.boot.Disk)
	if err == nil {
		err = storage.Usable(path, int(old.SectorSize))
	}
	if err == nil {
		_, err = storage.TableFor(old, disk.Size)
	}
	return install.Target{Problem: err, Held: contents.Held, Table: contents.Table, Whole: contents.Whole}
}

// installSteps are how the steps are called in the machine's state.
var installSteps = map[install.Step]string{install.Wait: state.InstallWaits, install.Copy: state.InstallCopies, install.Done: state.InstallDone}

// showInstall shows what the machine does about machine.install.
func (d *daemon) showInstall(v install.Verdict) {
	shown := state.Install{Step: installSteps[v.Step]}
	if v.Disk.Name != "" {
		shown.Disk = install.Describe(v.Disk)
	}
	if m, _ := d.store.Get(); m.Install.Step != shown.Step || m.Install.Disk != shown.Disk {
		d.store.Update(func(m *state.Machine) { m.Install = shown })
	}
	c := state.Condition{ID: conditionInstall, Severity: state.Error, Message: v.Why, Hint: v.Hint}
	switch {
	case v.Step == install.Copy:
		c.Severity, c.Message, c.Hint = state.Info, "Coracle is copied to "+shown.Disk+".", "the machine starts from there when that is done; a power cut does no harm"
	case v.Soon:
		c.Severity = state.Info
	case v.Step == install.Run, v.Step == install.Done:
		c.Severity = state.Warning
	}
	d.store.Put(c.Message != "", c)
}

// runInstaller installs the machine when the config asks for it. It runs without the monitor: a disk that does not answer is no
// reason to restart the machine.
func (d *daemon) runInstaller() {
	for {
		var again <-chan time.Time // never, on a machine that is not to be installed
		if d.installs() {
			again = time.After(lookForDisks)
		}
		select {
		case <-d.ctx.Done():
			return
		case <-d.installer.wake:
		case <-again:
		}
		if m, _ := d.store.Get(); d.installs() && m.ShuttingDown == "" {
			d.installOnce()
		}
	}
}

// installOnce looks at the disks, and copies the system if that is what to do by now.
func (d *daemon) installOnce() {
	config := owned{d}.Current()
	before, _ := d.store.Get()
	s := d.situation(config.Machine.Install) // nobody waits for it, whatever a disk does
	v := install.Decide(s)
	if v.Step == install.Copy {
		release, err := d.updater.Hold()
		if err != nil { // an upgrade is being installed; later, then
			return
		}
		defer release()
	}
	begin, same := false, false
	d.configs.Alone(func() {
		m, _ := d.store.Get()
		same = bytes.Equal(owned{d}.Current().Text, config.Text) && m.Config.TryUntil.Equal(before.Config.TryUntil)
		if !same {
			return
		}
		if v.Step == install.Run { // the other disk that matched is gone
			if err := d.takeInstall(d.ctx); err != nil {
				d.log.Error("install", "error", err)
			}
			return
		}
		v, begin = d.installer.next(s, v, time.Now())
	})
	if !same || v.Step == install.Run {
		return
	}
	d.showInstall(v)
	if !begin {
		return
	}
	err := d.installOn(v.Disk)
	d.installer.ended(err)
	if err != nil && d.ctx.Err() == nil {
		d.log.Error("install", "error", err)
		d.addEvent(state.Error, fmt.Sprintf("Coracle could not be copied to %s: %v", install.Describe(v.Disk), err))
	}
}

// installOn copies the system to a disk, and restarts the machine.
func (d *daemon) installOn(disk inspect.Disk) error {
	name := install.Describe(disk)
	d.log.Warn("Coracle is copied to " + name)
	d.addEvent(state.Info, "Coracle is copied to "+name)
	if err := d.copyTo(disk); err != nil {
		return err
	}
	c, _ := d.current()
	message, why := control.Reboot, "restart: "
	if c.Machine.Install.Then == types.ThenShutdown {
		message, why = control.Poweroff, "power off: "
	}
	why += "Coracle is installed on " + name
	d.log.Warn("the machine goes down, " + why)
	d.addEvent(state.Info, "Coracle is installed on "+name)
	if err := d.tellInit(message); err != nil {
		return err
	}
	d.store.Update(func(m *state.Machine) { m.Install.Step, m.ShuttingDown = state.InstallDone, why })
	return nil
}

func (d *daemon) addEvent(severity state.Severity, text string) {
	d.api.Backend.Events.Add(events.Event{Kind: events.Install, Severity: severity, Message: text})
}

// errInstalling is why no config is applied while the machine is copied.
var errInstalling = errors.New("the machine is being installed, and restarts when that is done: apply it then")

// installRefusals are the reasons why a config must not be applied on account of machine.install.
func (d *daemon) installRefusals(c types.MachineConfig, changed []string) []string {
	d.installer.mu.Lock()
	copying := d.installer.copying
	d.installer.mu.Unlock()
	if copying {
		return []string{errInstalling.Error()}
	}
	if !slices.ContainsFunc(changed, concernsInstall) {
		return nil
	}
	if v := install.Decide(d.situation(c.Machine.Install)); v.Step == install.Run && v.Why != "" {
		return []string{v.Why + " " + v.Hint}
	}
	return nil
}

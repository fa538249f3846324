package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/handover"
	kube "github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
	"github.com/coracle-os/coracle/machined/update"
)

const (
	updateDir       = "/var/lib/coracle/update"
	clusterDatabase = kube.StateDir + "/db/state.db"
)

// newUpdater upgrades the machine; [daemon.recoverUpdate] completes it.
func newUpdater(d *daemon) *update.Updater {
	return &update.Updater{
		Boot: d.boot, Release: d.release, Database: clusterDatabase, Log: d.log,
		Partition:   func(slot string) (string, error) { return storage.SlotDevice(d.boot, slot) },
		Environment: bootEnvironment{d.boot},
		Trusted:     d.trustedKeys,
		Settings: func() update.Settings {
			c, _ := d.current()
			return update.Settings{Deadline: time.Duration(c.Machine.Upgrade.Deadline), Confirm: time.Duration(c.Machine.Upgrade.Confirm), Drain: time.Duration(c.Machine.Upgrade.Drain)}
		},
		Config: func() []byte {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.text
		},
		Drain: d.drain,
		Uncordon: func() {
			if err := d.kubeStatus.Uncordon(d.ctx); err != nil {
				d.log.Error("upgrade", "error", err)
			}
		},
		NodeReady: func() bool {
			m, _ := d.store.Get()
			return m.Kube.Status != nil && m.Kube.Status.NodeReady
		},
		Restart: func(why string) error {
			d.log.Warn("the machine restarts: " + why)
			if err := d.tellInit(control.Reboot); err != nil {
				return err
			}
			d.store.Update(func(m *state.Machine) { m.ShuttingDown = "restart: " + why })
			return nil
		},
	}
}

// drain has the pods leave that have another node to go to.
func (d *daemon) drain(ctx context.Context, most time.Duration) error {
	if m, _ := d.store.Get(); m.Kube.PID == 0 {
		return nil
	}
	drained, err := d.kubeStatus.Drain(ctx, most)
	if err != nil {
		return err
	}
	if !drained.Nowhere {
		d.log.Warn(fmt.Sprintf("%d pods have left the node", len(drained.Evicted)))
	}
	for _, stayed := range drained.Stayed {
		d.log.Warn("a pod stays until the machine goes down", "pod", stayed.Pod, "because", stayed.Reason)
	}
	return nil
}

// bootEnvironment is the boot loader's state on BOOT.
type bootEnvironment struct{ boot handover.Boot }

func (e bootEnvironment) Read() (grubenv.State, bool, error) { return storage.ReadEnvironment(e.boot) }
func (e bootEnvironment) Write(s grubenv.State) error        { return storage.WriteEnvironment(e.boot, s) }

// trustedKeys are those of the image and of the config.
func (d *daemon) trustedKeys() ([]keys.PublicKey, error) {
	trusted, err := artifact.ReadKeys(artifact.TrustPath)
	c, _ := d.current()
	for _, k := range c.Machine.Upgrade.Keys {
		trusted = append(trusted, k.Key)
	}
	if len(trusted) > 0 {
		return trusted, nil
	}
	return nil, err
}

const (
	conditionTrial    = "upgrade.trial"
	conditionRollback = "upgrade"
)

// recoverUpdate finds out how an upgrade went that this boot belongs to.
func (d *daemon) recoverUpdate(ctx context.Context) error {
	if d.dataReady {
		d.updater.Dir = updateDir
	}
	up, err := host.Uptime()
	if err != nil {
		return err
	}
	// Its driver may have come too late for stage 1 to ask.
	for _, w := range inspect.Host().Watchdogs() {
		d.updater.Boot.WatchdogReset = d.updater.Boot.WatchdogReset || w.CardReset
	}
	ended, err := d.updater.Recover(ctx, up)
	if ended != nil {
		d.ended(*ended)
	}
	d.showUpdate()
	if errors.Is(err, update.ErrGivenUp) {
		<-d.ctx.Done() // kube comes after this, and must not touch its datastore
		return err
	}
	if until, _ := d.updater.Brief(); d.boot.Trial && until.IsZero() && err == nil {
		return d.tellInit(control.Confirmed) // machined may have ended before it came to say so
	}
	return err
}

// ended says how an upgrade ended.
func (d *daemon) ended(o update.Outcome) {
	d.log.Warn(sentence(o))
	severity := state.Info
	if o.Result == update.ResultRolledBack {
		severity = state.Warning
	}
	d.api.Backend.Events.Add(events.Event{Kind: events.Upgrade, Severity: severity, Message: sentence(o)})
}

// sentence says how an upgrade ended.
func sentence(o update.Outcome) string {
	if o.Result == update.ResultRolledBack {
		return fmt.Sprintf("Rolled back version %s: %s", o.Version, o.Reason)
	}
	return "Version " + o.Version + " is confirmed"
}

// showUpdate puts what is on trial, and how the last upgrade ended, into the machine's state.
func (d *daemon) showUpdate() {
	until, last := d.updater.Brief()
	d.store.Update(func(m *state.Machine) { m.Upgrade = state.Upgrade{TrialUntil: until, Last: last} })
	d.store.Put(!until.IsZero(), state.Condition{
		ID: conditionTrial, Severity: state.Info, Message: fmt.Sprintf("Version %s is on trial.", d.release.Version),
		Hint: "it is confirmed when it was healthy for long enough; else the version before is booted",
	})
	back := state.Condition{ID: conditionRollback, Severity: state.Warning, Hint: "`coraclectl slots` has more; install another version, or force this one"}
	rolledBack := last != nil && last.Result == update.ResultRolledBack
	if rolledBack {
		back.Message = sentence(*last) + "."
	}
	d.store.Put(rolledBack, back)
}

// watchTrial judges the version that is on trial.
func (d *daemon) watchTrial() {
	err := d.updater.Watch(d.ctx, d.healthProblems, func(o *update.Outcome) {
		d.ended(*o)
		if err := d.tellInit(control.Confirmed); err != nil {
			d.log.Error("trial", "error", err)
		}
		d.showUpdate()
		d.confirmed <- struct{}{} // it is once
	})
	if err != nil && d.ctx.Err() == nil {
		d.log.Error("trial", "error", err)
	}
}

// healthProblems are what is not well with this machine alone: nobody else is asked.
func (d *daemon) healthProblems(ctx context.Context, nodeReady bool) []string {
	var problems []string
	if err := d.callSelf(ctx); err != nil {
		problems = append(problems, fmt.Sprintf("the machine API does not answer: %v", err))
	}
	m, _ := d.store.Get()
	c, configured := d.current()
	switch {
	case !configured, d.installs():
	case c.Machine.Role == types.Server:
		problems = append(problems, kubeProblems(m, nodeReady)...)
	case c.Machine.Role == types.Agent:
		problems = append(problems, agentProblems(m, nodeReady)...)
	}
	return problems
}

// kubeAbsent is why nothing can be said of Kubernetes; empty: kube answers.
func kubeAbsent(m state.Machine) string {
	switch {
	case m.ShuttingDown != "":
		return "the machine goes down"
	case m.Kube.Phase == state.Waiting:
		return "kube ended: " + m.Kube.LastExit
	case m.Kube.PID == 0:
		return "kube does not run"
	case m.Kube.Status == nil:
		return "kube does not answer"
	}
	return ""
}

// agentProblems are what is not well with Kubernetes on an agent. Its servers are not needed: they may be away, or be upgraded at the
// same time. Where they answer, the node has to be Ready if it was before.
func agentProblems(m state.Machine, nodeReady bool) []string {
	if why := kubeAbsent(m); why != "" {
		return []string{why}
	}
	s := m.Kube.Status
	needed := []string{"containerd"}
	if nodeReady { // so the machine has joined, and its kubelet starts without the servers
		needed = append(needed, "kubelet")
	}
	for _, c := range s.Components {
		if c.State == kube.Failed || c.State != kube.Ready && slices.Contains(needed, c.Name) {
			return []string{strings.TrimSuffix(fmt.Sprintf("kube is not healthy: %s is %s: %s", c.Name, c.State, c.Error), ": ")}
		}
	}
	if nodeReady && s.APIReady && !s.NodeReady {
		return []string{"the node is not Ready, as it was before: " + s.NodeMessage}
	}
	return nil
}

// kubeProblems are what is not well with Kubernetes.
func kubeProblems(m state.Machine, nodeReady bool) []string {
	if why := kubeAbsent(m); why != "" {
		return []string{why}
	}
	s := m.Kube.Status
	switch {
	case !s.APIReady:
		for _, component := range s.Components {
			if component.State != kube.Ready && component.Error != "" {
				return []string{"kube is not healthy: " + component.Name + ": " + component.Error}
			}
		}
		return []string{"kube is not healthy: the Kubernetes API is not ready"}
	case nodeReady && !s.NodeReady:
		return []string{"the node is not Ready, as it was before: " + s.NodeMessage}
	}
	return nil
}

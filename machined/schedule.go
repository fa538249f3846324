package main

import (
	"context"
	"time"

	"github.com/coracle-os/coracle/machined/update"
)

// byItself is who asks for an upgrade that the config or an earlier call asked for.
const byItself = "the machine itself"

// wakeSchedule has the schedule looked at again. It is the effect of a change of machine.upgrade.
func (d *daemon) wakeSchedule() {
	select {
	case d.scheduleChanged <- struct{}{}:
	default:
	}
}

func (d *daemon) takeUpgradeConfig(context.Context) error {
	d.wakeSchedule()
	return nil
}

// runSchedule installs upgrades at their time: what was scheduled over the API, and in the window of the config, what is at its
// source.
func (d *daemon) runSchedule(ctx context.Context, beat func()) {
	tried := time.Time{} // start of the last window in which the source was asked
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		beat()
		c, _ := d.current()
		now := time.Now()
		if s := d.updater.Due(now); s != nil {
			d.pullUpgrade(ctx, s.Source, update.Options{Force: s.Force, By: s.By}, beat)
		} else if from, open := update.Window(c.Machine.Upgrade, now); open && !from.Equal(tried) {
			if d.pullUpgrade(ctx, c.Machine.Upgrade.Source, update.Options{Newer: true, By: byItself}, beat) {
				tried = from
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-d.scheduleChanged:
		case <-tick.C:
		}
	}
}

// pullUpgrade installs what is at a source. It returns false when it is worth another try soon.
func (d *daemon) pullUpgrade(ctx context.Context, source string, o update.Options, beat func()) (done bool) {
	_, err := upgrades{d.updater, d}.Pull(ctx, source, time.Time{}, o, func(update.Progress) { beat() })
	switch {
	case err == nil:
		return true
	case update.IsOld(err): // what is there runs, or is older
		d.log.Info("upgrade", "source", source, "error", err)
		return true
	}
	d.log.Error("upgrade", "source", source, "error", err)
	return update.IsRefused(err)
}

package main

import (
	"context"
	"os"
	"time"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/effect"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

// Pauses between looks for a config.
const (
	lookPause       = 2 * time.Second
	mediaPause      = 10 * time.Second
	firstFetchPause = 2 * time.Second
	longFetchPause  = time.Minute
)

// awaitConfig looks for a config for as long as the machine has none. Not before the phases of the start are over: with the
// config, some of them run again.
func (d *daemon) awaitConfig() {
	if _, configured := d.current(); !configured {
		d.loop("looking for a config", 2*time.Minute, d.lookForConfig)
	}
}

// lookForConfig asks the server that the kernel argument names, and looks for a volume labelled CORACLE that was attached
// later: a USB stick takes seconds to appear.
func (d *daemon) lookForConfig(ctx context.Context, beat func()) {
	d.mu.Lock()
	found := d.found
	d.mu.Unlock()
	found.Notices = nil        // said
	var media, fetch time.Time // next tries
	pause := firstFetchPause
	for tick := time.NewTicker(lookPause); ; {
		beat()
		if _, configured := d.current(); configured { // by now: over the API
			tick.Reset(time.Minute)
			d.store.Clear(conditionFetch)
		} else if now := time.Now(); found.Fetch != nil && !now.Before(fetch) {
			d.fetchConfig(ctx, found)
			fetch = time.Now().Add(pause)
			pause = min(2*pause, longFetchPause)
		} else if !now.Before(media) {
			found = d.lookAtMedia(ctx, found)
			media = time.Now().Add(mediaPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// fetchConfig tries once to fetch the config that the kernel argument names.
func (d *daemon) fetchConfig(ctx context.Context, found config.Found) {
	text, err := found.Fetch.Fetch(ctx, config.Facts{FS: os.DirFS("/")})
	if _, configured := d.current(); configured {
		return // meanwhile
	}
	if err == nil {
		err = d.sources().Fetched(&found, text)
	}
	if err != nil {
		d.store.Set(state.Condition{ID: conditionFetch, Severity: state.Warning, Message: err.Error(), Hint: "it is tried again by itself; check the network and the kernel argument " + config.Argument})
		return
	}
	d.useLate(ctx, found)
}

// lookAtMedia takes the config from a volume labelled CORACLE, if one is attached by now. It returns what is found then.
func (d *daemon) lookAtMedia(ctx context.Context, found config.Found) config.Found {
	media, err := storage.MountMedia(ctx)
	if err != nil || media == "" {
		return found // it may be on its way; the phase media says what is wrong with one that stays
	}
	d.mu.Lock()
	d.media = media
	configured := d.configured
	d.mu.Unlock()
	if configured {
		return found // meanwhile
	}
	d.sources().LookAtMedia(&found)
	if found.Config != nil {
		d.useLate(ctx, found)
		return found
	}
	d.show(found)
	d.showProblem(found)
	return found
}

// useLate puts a config in force that came after the start, unless there is one by now.
func (d *daemon) useLate(ctx context.Context, found config.Found) {
	d.configs.Alone(func() {
		if _, configured := d.current(); configured {
			return
		}
		d.use(found)
		for _, e := range effect.For(effects, allFields) {
			if err := e.Run(d, ctx); err != nil {
				d.log.Error(e.Name, "error", err)
			}
		}
	})
}

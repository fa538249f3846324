package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/update/bootfiles"
)

func TestShowBootFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		result    bootfiles.Result
		err       error
		event     string
		condition string
	}{
		"nothing to do":  {},
		"only kept":      {result: bootfiles.Result{Kept: []string{"config.txt"}}},
		"replaced":       {result: bootfiles.Result{Replaced: []string{"start4.elf", "fixup4.dat"}}, event: "Boot files of 0.3.0 are in place: start4.elf, fixup4.dat"},
		"and kept":       {result: bootfiles.Result{Replaced: []string{"u-boot.bin"}, Kept: []string{"config.txt"}}, event: "Boot files of 0.3.0 are in place: u-boot.bin; left alone, as they were changed: config.txt"},
		"failed":         {err: errors.New("BOOT is full"), condition: "Boot files of 0.3.0 are not in place: BOOT is full."},
		"failed in part": {result: bootfiles.Result{Replaced: []string{"u-boot.bin"}}, err: errors.New("no"), condition: "Boot files of 0.3.0 are not in place: no."},
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{log: slog.New(slog.DiscardHandler), store: state.NewStore(state.Machine{}), api: &api.Server{Backend: api.Backend{Events: &events.Log{}}}}
			d.release.Version = "0.3.0"
			d.showBootFiles(tc.result, tc.err)
			list, _, _ := d.api.Backend.Events.After(0)
			var said []string
			for _, e := range list {
				said = append(said, e.Message)
			}
			if got := strings.Join(said, "\n"); got != tc.event {
				t.Errorf("events %q, want %q", got, tc.event)
			}
			var wrong []string
			m, _ := d.store.Get()
			for _, c := range m.Conditions {
				wrong = append(wrong, c.Message)
			}
			if got := strings.Join(wrong, "\n"); got != tc.condition {
				t.Errorf("conditions %q, want %q", got, tc.condition)
			}
			d.showBootFiles(bootfiles.Result{}, nil)
			if m, _ := d.store.Get(); len(m.Conditions) > 0 {
				t.Errorf("it went well, and still: %+v", m.Conditions)
			}
		})
	}
}

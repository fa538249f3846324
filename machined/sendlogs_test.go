package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
)

func TestLogDeviceIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	d := &daemon{log: slog.New(slog.DiscardHandler), store: state.NewStore(state.Machine{})}
	log := services.Log{Path: filepath.Join(dir, "log")}
	file, err := log.OpenForWriting()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	device := filepath.Join(dir, "device")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.copyLog(ctx, log, device, time.Millisecond); close(done) }()
	defer func() { cancel(); <-done }()

	for _, step := range []struct{ device, want string }{
		{"", "no such file"},
		{"/dev/full", "no space left"}, // a write fails
		{"/dev/null", ""},
	} {
		os.Remove(device)
		if step.device != "" {
			os.Symlink(step.device, device)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			file.WriteString("a line\n")
			m, _ := d.store.Get()
			if len(m.Conditions) == 0 && step.want == "" || len(m.Conditions) == 1 && step.want != "" && strings.Contains(m.Conditions[0].Message, step.want) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("with %q: %+v, want %q", step.device, m.Conditions, step.want)
			}
		}
	}
}

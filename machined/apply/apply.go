// Package apply makes a new machine config the machine's. That is a transaction: the config is checked, takes effect and is
// kept, or the machine is as it was and the error says why.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/types"
)

// Mode is when a config takes effect.
type Mode string

const (
	Auto     Mode = "auto"      // at once where that is possible, else the machine reboots
	NoReboot Mode = "no-reboot" // at once, or not at all
	Staged   Mode = "staged"    // at the next boot
	Try      Mode = "try"       // as NoReboot, and taken back unless it is confirmed in time
)

// Bounds of a try.
const (
	DefaultTry = time.Minute
	longestTry = time.Hour
)

// Request is a config to apply.
type Request struct {
	Text     []byte // YAML
	Mode     Mode   // empty: Auto
	DryRun   bool   // only say what would be done
	TryFor   time.Duration
	IfDigest string // refuse unless this is the digest of the config in force; empty: any
	First    bool   // refuse when the machine has a config by now: the caller has no key
	By       string // who asked, for logs
}

// Result is what was done, or would be.
type Result struct {
	Changes []change.Change
	Effects []string // parts of the machine that take the config up, in order
	Reboot  bool
	Digest  string        // of the new config
	TryFor  time.Duration // until the config is taken back; 0: it is not
}

// Config is a config with its text.
type Config struct {
	Text []byte // nil: the machine has none
	types.MachineConfig
	From string // where it is from, for a person
}

// Machine is what configs are applied to.
type Machine interface {
	// Current is the config in force.
	Current() Config
	// Effects names the parts that take up a change of these fields, with what is worth knowing before.
	Effects(c types.MachineConfig, changed []string) []string
	// Refusals are the reasons why this machine cannot have a config in which these fields are others.
	Refusals(c types.MachineConfig, changed []string) []string
	// Use puts c in force; when that fails, the one before is again.
	Use(ctx context.Context, c Config, changed []string) error
	// Reboot asks for a reboot, and returns before it.
	Reboot(by string) error
	// Cluster says whether the machine has been part of a cluster, so that some fields cannot change any more.
	Cluster() bool
}

// Applier applies configs, one at a time.
type Applier struct {
	Machine Machine
	Files   func() (config.Files, error) // an error: there is no DATA to keep a config on
	Changed func(Status)                 // called when what is tried or staged has changed
	Log     *slog.Logger

	mu     sync.Mutex
	trying *trial
}

// Status is what awaits a decision.
type Status struct {
	TryUntil     time.Time // zero: nothing is tried
	StagedDigest string    // empty: nothing is staged
}

// Digest of a config's text, in hex.
func Digest(text []byte) string {
	if text == nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Apply applies a config. Its errors are [strict.Problems] for a config that is not valid, [*Refused] for one that cannot
// be applied, and others when it did not take effect.
func (a *Applier) Apply(ctx context.Context, r Request) (Result, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, err := a.plan(r)
	if err != nil || r.DryRun {
		return p.result, err
	}
	files, err := a.Files()
	if err != nil {
		return Result{}, fmt.Errorf("the config could not be kept: %w", err)
	}
	switch {
	case r.Mode == Staged:
		return p.result, a.stage(files, p)
	case p.result.Reboot:
		return p.result, a.applyByReboot(files, p)
	case r.Mode == Try:
		return p.result, a.try(ctx, files, p)
	}
	return p.result, a.applyNow(ctx, files, p)
}

// applyNow puts the config in force and keeps it.
func (a *Applier) applyNow(ctx context.Context, files config.Files, p plan) error {
	if err := files.Prepare(p.new.Text); err != nil { // before anything changes: the disk may be full
		return fmt.Errorf("the config could not be kept, and is not in force: %w", err)
	}
	if err := a.Machine.Use(ctx, p.new, p.changed); err != nil {
		files.Discard()
		return fmt.Errorf("the config did not take effect, and the one before is in force again: %w", err)
	}
	if err := files.Commit(); err != nil {
		if back := a.Machine.Use(context.WithoutCancel(ctx), p.old, p.changed); back != nil {
			a.Log.Error("back to the config before", "error", back)
		}
		return fmt.Errorf("the config could not be kept, and the one before is in force again: %w", err)
	}
	a.unstage(files)
	return nil
}

// applyByReboot keeps the config for the next boot, and reboots.
func (a *Applier) applyByReboot(files config.Files, p plan) error {
	if err := a.stage(files, p); err != nil {
		return err
	}
	if err := a.Machine.Reboot(p.by); err != nil {
		return fmt.Errorf("the config is staged for the next boot, but the machine does not reboot: %w", err)
	}
	return nil
}

func (a *Applier) stage(files config.Files, p plan) error {
	if err := files.Stage(p.new.Text); err != nil {
		return fmt.Errorf("the config could not be kept for the next boot: %w", err)
	}
	a.tell(files)
	return nil
}

// unstage forgets a config for the next boot: a newer one is in force.
func (a *Applier) unstage(files config.Files) {
	if err := files.Unstage(); err != nil {
		a.Log.Error("forget the staged config", "error", err)
	}
	a.tell(files)
}

// Alone calls f while no config is being applied.
func (a *Applier) Alone(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// Tell says what is staged; for the start.
func (a *Applier) Tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if files, err := a.Files(); err == nil {
		a.tell(files)
	}
}

func (a *Applier) tell(files config.Files) {
	var s Status
	if staged, err := files.Staged(); err == nil {
		s.StagedDigest = Digest(staged)
	}
	if a.trying != nil {
		s.TryUntil = a.trying.until
	}
	a.Changed(s)
}

package apply

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// text is a valid config with an admin's key and more fields of machine.
func text(fields string) []byte { return textWith(fields, "") }

func textWith(machine, rest string) []byte {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	return fmt.Appendf(nil, "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine:\n  role: server\n  api: {keys: [{name: me, role: admin, key: \"ed25519:%s\"}]}\n%s%s", key, machine, rest)
}

// box is a machine whose effects are the names of what changed.
type box struct {
	current  Config
	cluster  bool
	broken   bool
	reboots  int
	used     []string // texts that were put in force
	statuses []Status
	refusals []string
}

func (b *box) Current() Config                                          { return b.current }
func (b *box) Effects(_ types.MachineConfig, changed []string) []string { return changed }
func (b *box) Refusals(types.MachineConfig, []string) []string          { return b.refusals }
func (b *box) Cluster() bool                                            { return b.cluster }
func (b *box) Reboot(string) error                                      { b.reboots++; return nil }

func (b *box) Use(_ context.Context, c Config, _ []string) error {
	if b.broken {
		return errors.New("sysctl: invalid argument")
	}
	b.current = c
	b.used = append(b.used, string(c.Text))
	return nil
}

func newApplier(t *testing.T, inForce []byte) (*Applier, *box, config.Files) {
	t.Helper()
	files := config.Files{Dir: filepath.Join(t.TempDir(), "config")}
	b := &box{cluster: true}
	if inForce != nil {
		c, err := config.Parse("machine.yaml", inForce)
		if err != nil {
			t.Fatal(err)
		}
		b.current = Config{inForce, c, "DATA"}
		if err := errors.Join(files.Prepare(inForce), files.Commit()); err != nil {
			t.Fatal(err)
		}
	} else {
		b.current.MachineConfig = config.Default()
	}
	return &Applier{
		Machine: b, Files: func() (config.Files, error) { return files, nil },
		Changed: func(s Status) { b.statuses = append(b.statuses, s) }, Log: slog.New(slog.DiscardHandler),
	}, b, files
}

func inForce(t *testing.T, files config.Files) string {
	t.Helper()
	text, err := files.InForce()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func TestApply(t *testing.T) {
	old := text("  sysctls: {vm.swappiness: 10}\n")
	for name, tc := range map[string]struct {
		request      Request
		first        bool // the machine has no config yet
		noCluster    bool
		broken       bool
		machine      []string // reasons of the machine's own
		refused      string   // part of the reason
		invalid      bool
		staged, none bool // what becomes of it: staged, nothing; else it is in force
		reboots      int
	}{
		"live":                     {request: Request{Text: text("  sysctls: {vm.swappiness: 20}\n")}},
		"the same again":           {request: Request{Text: old}},
		"the first":                {first: true, request: Request{Text: text(""), First: true}},
		"the first, too late":      {request: Request{Text: text(""), First: true}, refused: "somebody else", none: true},
		"not valid":                {request: Request{Text: []byte("machine: {rolle: server}")}, invalid: true, none: true},
		"dry run":                  {request: Request{Text: text(""), DryRun: true}, none: true},
		"staged":                   {request: Request{Text: text(""), Mode: Staged}, staged: true, none: true},
		"does not take effect":     {request: Request{Text: text("")}, broken: true, refused: "the one before is in force again: sysctl", none: true},
		"the machine says no":      {request: Request{Text: text("")}, machine: []string{"it has a cluster here"}, refused: "it has a cluster here", none: true},
		"known digest":             {request: Request{Text: text(""), IfDigest: Digest(old)}},
		"unknown digest":           {request: Request{Text: text(""), IfDigest: Digest(nil) + "00"}, refused: "is another by now", none: true},
		"cluster's network":        {request: Request{Text: textWith("", "cluster: {podCIDR: 10.99.0.0/16}\n")}, refused: "cluster.podCIDR cannot change", none: true},
		"before there is one":      {request: Request{Text: textWith("", "cluster: {podCIDR: 10.99.0.0/16}\n")}, noCluster: true},
		"other architecture":       {request: Request{Text: text("  arch: " + map[bool]string{true: "arm64", false: "amd64"}[runtime.GOARCH != "arm64"] + "\n")}, refused: "machine.arch", none: true},
		"this architecture":        {request: Request{Text: text("  arch: " + runtime.GOARCH + "\n")}},
		"no admin left":            {request: Request{Text: bytes.ReplaceAll(old, []byte("role: admin"), []byte("role: operator"))}, refused: "no admin any more", none: true},
		"try without one before":   {first: true, request: Request{Text: text(""), Mode: Try}, refused: "no config to go back to", none: true},
		"try for a day":            {request: Request{Text: text(""), Mode: Try, TryFor: 24 * time.Hour}, refused: "at most 1h0m0s", none: true},
		"no-reboot, needs none":    {request: Request{Text: text(""), Mode: NoReboot}},
		"all reasons at once":      {request: Request{Text: textWith("", "cluster: {podCIDR: 10.99.0.0/16}\n"), Mode: Try, TryFor: 24 * time.Hour}, refused: "podCIDR", none: true},
		"dry run of what is wrong": {request: Request{Text: textWith("", "cluster: {podCIDR: 10.99.0.0/16}\n"), DryRun: true}, refused: "podCIDR", none: true},
	} {
		t.Run(name, func(t *testing.T) {
			before := old
			if tc.first {
				before = nil
			}
			a, b, files := newApplier(t, before)
			b.broken, b.cluster, b.refusals = tc.broken, !tc.noCluster, tc.machine
			r, err := a.Apply(t.Context(), tc.request)
			if (err == nil) != (tc.refused == "" && !tc.invalid) || err != nil && !strings.Contains(err.Error(), tc.refused) {
				t.Fatalf("error %v, want %q", err, tc.refused)
			}
			if _, problems := errors.AsType[strict.Problems](err); problems != tc.invalid {
				t.Errorf("error of type %T", err)
			}
			want := string(tc.request.Text)
			if tc.none {
				want = string(before)
			}
			if got := inForce(t, files); got != want || string(b.current.Text) != want {
				t.Errorf("on DATA is %q, in force %q; want %q", got, b.current.Text, want)
			}
			staged, _ := files.Staged()
			if (staged != nil) != tc.staged || b.reboots != tc.reboots {
				t.Errorf("staged %q, %d reboots", staged, b.reboots)
			}
			if err == nil && r.Digest != Digest(tc.request.Text) {
				t.Errorf("digest %s", r.Digest)
			}
			left, _ := filepath.Glob(filepath.Join(files.Dir, "*.new"))
			if len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestFullDiskChangesNothing(t *testing.T) {
	old := text("")
	a, b, files := newApplier(t, old)
	// A folder where the file is to be written fails as a full disk does.
	if err := os.MkdirAll(filepath.Join(files.Dir, "machine.yaml.new", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := a.Apply(t.Context(), Request{Text: text("  labels: {a: b}\n")})
	if err == nil || !strings.Contains(err.Error(), "could not be kept, and is not in force") || len(b.used) > 0 {
		t.Errorf("%v; used %q", err, b.used)
	}
}

func TestTry(t *testing.T) {
	old, new := text(""), text("  labels: {a: b}\n")
	for name, tc := range map[string]struct {
		decide func(*Applier) error
		after  time.Duration
		want   []byte // in force
	}{
		"nobody confirms":     {nil, 30 * time.Second, old},
		"confirmed":           {func(a *Applier) error { return a.Confirm("me") }, time.Hour, new},
		"confirmed too late":  {nil, time.Hour, old},
		"cancelled":           {func(a *Applier) error { _, err := a.Cancel("me"); return err }, 0, old},
		"still being decided": {nil, 29 * time.Second, new},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, files := newApplier(t, old)
				r, err := a.Apply(t.Context(), Request{Text: new, Mode: Try, TryFor: 30 * time.Second})
				if err != nil || r.TryFor != 30*time.Second || !bytes.Equal(b.current.Text, new) {
					t.Fatalf("%+v, %v", r, err)
				}
				if got := inForce(t, files); got != string(old) {
					t.Errorf("on DATA, where a power cut finds it: %q", got)
				}
				if _, err := a.Apply(t.Context(), Request{Text: new}); err == nil || !strings.Contains(err.Error(), "being tried") {
					t.Errorf("another one meanwhile: %v", err)
				}
				if last := b.statuses[len(b.statuses)-1]; time.Until(last.TryUntil) != 30*time.Second {
					t.Errorf("status %+v", last)
				}
				if tc.decide != nil {
					if err := tc.decide(a); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tc.after)
				synctest.Wait()
				if from := map[bool]string{true: "DATA", false: overAPI}[bytes.Equal(tc.want, old)]; !bytes.Equal(b.current.Text, tc.want) || b.current.From != from {
					t.Errorf("in force: %q from %s, want that from %s", b.current.Text, b.current.From, from)
				}
				if name == "confirmed too late" {
					if err := a.Confirm("me"); err == nil {
						t.Error("confirmed what was taken back")
					}
				}
				if name == "still being decided" {
					a.Cancel("me")
					return
				}
				if got := inForce(t, files); got != string(tc.want) {
					t.Errorf("on DATA: %q", got)
				}
				if last := b.statuses[len(b.statuses)-1]; !last.TryUntil.IsZero() {
					t.Errorf("status %+v", last)
				}
			})
		})
	}
}

func TestCancelStaged(t *testing.T) {
	a, b, _ := newApplier(t, text(""))
	if _, err := a.Cancel("me"); err == nil {
		t.Error("cancelled nothing")
	}
	if _, err := a.Apply(t.Context(), Request{Text: text("  labels: {a: b}\n"), Mode: Staged}); err != nil {
		t.Fatal(err)
	}
	if s := b.statuses[len(b.statuses)-1]; s.StagedDigest == "" {
		t.Error("nobody was told what is staged")
	}
	if what, err := a.Cancel("me"); what != "staged" || err != nil {
		t.Errorf("%q, %v", what, err)
	}
	if s := b.statuses[len(b.statuses)-1]; s.StagedDigest != "" {
		t.Errorf("still staged: %+v", s)
	}
}

func TestLiveForgetsStaged(t *testing.T) {
	a, _, files := newApplier(t, text(""))
	if _, err := a.Apply(t.Context(), Request{Text: text("  labels: {a: b}\n"), Mode: Staged}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), Request{Text: text("  labels: {a: c}\n")}); err != nil {
		t.Fatal(err)
	}
	if staged, _ := files.Staged(); staged != nil {
		t.Errorf("the next boot would put back %q", staged)
	}
}

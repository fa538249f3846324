package boots

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// device is a machine's disk; each boot and each start of machined reads its file anew.
type device struct {
	*testing.T
	path string
	now  time.Time
}

func newDevice(t *testing.T) *device {
	return &device{t, filepath.Join(t.TempDir(), "coracle", "boots.json"), time.Unix(0, 0)}
}

// start has machined start in a boot.
func (d *device) start(id string, wantSafe bool) *Counter {
	d.Helper()
	return d.startAs(Start{ID: id, Config: "c", After: 3}, wantSafe)
}

func (d *device) startAs(s Start, wantSafe bool) *Counter {
	d.Helper()
	c := &Counter{Path: d.path}
	if _, safe, err := c.Begin(s); err != nil || safe != wantSafe || c.Safe() != wantSafe {
		d.Fatalf("boot %s: safe mode %v, %v; want %v", s.ID, safe, err, wantSafe)
	}
	return c
}

// look looks every 10 s for some time.
func (d *device) look(c *Counter, span time.Duration, problems ...string) {
	d.Helper()
	for end := d.now.Add(span); d.now.Before(end); d.now = d.now.Add(10 * time.Second) {
		if _, err := c.Look(d.now, 30*time.Second, problems); err != nil {
			d.Fatal(err)
		}
	}
}

func (d *device) ok(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func TestPulledThreeTimes(t *testing.T) {
	d := newDevice(t)
	d.start("1", false)
	d.start("1", false) // machined was restarted
	d.look(d.start("2", false), 5*time.Minute, "kube does not answer")
	d.look(d.start("3", false), 50*time.Second) // healthy, but not for long enough
	safe := d.start("4", true)
	d.look(safe, time.Hour) // nothing but the API: no sign of health
	d.start("5", true)

	c := d.start("5", true) // machined was restarted
	d.ok(c.Leave())
	if c.Safe() || !c.Awaited() {
		t.Error("safe mode was left, and this boot does not count")
	}
	d.start("5", false)
	d.look(c, 2*time.Minute)
	if c.Awaited() {
		t.Error("it is healthy, and still looked at")
	}
	for _, id := range []string{"6", "7", "8"} {
		d.start(id, false)
	}
	d.start("9", true)
}

// TestRestartedByHand: somebody who restarts a machine that is still starting does not end up in safe mode, and somebody who
// restarts one in safe mode leaves it.
func TestRestartedByHand(t *testing.T) {
	d := newDevice(t)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		d.ok(d.start(id, false).Ended())
	}
	for _, id := range []string{"6", "7", "8"} {
		d.start(id, false)
	}
	d.ok(d.start("9", true).Ended())
	d.start("10", false)
}

func TestHealthHasToLast(t *testing.T) {
	d := newDevice(t)
	c := d.start("1", false)
	for range 10 {
		d.look(c, 50*time.Second)
		d.look(c, 10*time.Second, "kube does not answer")
	}
	if !c.Awaited() {
		t.Error("healthy for 50 s at a time is healthy")
	}
	d.look(c, HealthyFor+10*time.Second)
	if c.Awaited() {
		t.Error("healthy for a minute is not healthy")
	}
}

func TestTrialIsNeverInSafeMode(t *testing.T) {
	d := newDevice(t)
	for _, id := range []string{"1", "2", "3"} {
		d.start(id, false)
	}
	trial := Start{ID: "4", Config: "c", After: 3, Trial: true}
	d.look(d.startAs(trial, false), 10*time.Second) // and it is given up
	d.start("5", true)
	trial.ID = "6"
	d.look(d.startAs(trial, false), HealthyFor+10*time.Second)
	d.start("7", false)
}

// TestTornFile: what a power cut or a bad disk leaves counts for nothing.
func TestTornFile(t *testing.T) {
	d := newDevice(t)
	for _, id := range []string{"1", "2", "3"} {
		d.start(id, false)
	}
	text, err := os.ReadFile(d.path)
	d.ok(err)
	d.ok(os.WriteFile(d.path, text[:len(text)-5], 0o600))
	for _, id := range []string{"4", "5", "6"} {
		d.start(id, false)
	}
	d.start("7", true)
}

// TestFileThatCannotBeWritten: the machine starts, says so, and writes it once it can.
func TestFileThatCannotBeWritten(t *testing.T) {
	d := newDevice(t)
	dir := filepath.Dir(d.path)
	d.ok(os.WriteFile(dir, nil, 0o600)) // no folder
	c := &Counter{Path: d.path}
	if _, safe, err := c.Begin(Start{ID: "1", Config: "c", After: 3}); err == nil || safe {
		t.Fatalf("safe %v, %v", safe, err)
	}
	if _, err := c.Look(d.now, 0, nil); err == nil || !c.Awaited() {
		t.Errorf("%v", err)
	}
	d.ok(os.Remove(dir))
	d.look(c, 2*HealthyFor)
	if c.Awaited() {
		t.Error("still not written")
	}
	if text, err := os.ReadFile(d.path); err != nil || shown(parse(text)) != "c:1+" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestNothingIsWrittenForNever(t *testing.T) {
	d := newDevice(t)
	for _, id := range []string{"1", "2", "3", "4"} {
		c := d.startAs(Start{ID: id, Config: "c"}, false)
		d.look(c, 10*time.Second, "kube does not answer")
		d.ok(c.Ended())
	}
	if _, err := os.Stat(d.path); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/keys"
)

func well(context.Context, bool) []string { return nil }

// An upgrade, from the artifact to the version that is confirmed, and back by hand.
func TestUpgradeAndBack(t *testing.T) {
	b := newBench(t)
	b.onDisk = true
	u, _ := b.started("a", "1.0.0", false)
	image := noise(2, imageSize)
	next := b.artifact("1.1.0", image)
	r, err := b.install(u, next.file, Options{By: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Slot != "b" || r.Version != "1.1.0" || !r.Reboot || len(b.restarts) != 1 || !bytes.Equal(b.content("b"), image) {
		t.Fatalf("%+v, restarts %q, or the slot is not the image", r, b.restarts)
	}
	if want := (grubenv.State{Active: "a", Try: "b"}); b.env != want {
		t.Fatalf("the boot loader has %+v, want %+v", b.env, want)
	}
	slot, trial := b.tryIt()
	b.reach("b", record.Init)
	u, o := b.started(slot, "1.1.0", trial)
	if o != nil || !u.onTrial() {
		t.Fatalf("outcome %v, on trial %v", o, u.onTrial())
	}
	if _, err := b.install(u, next.file, Options{}); !errors.Is(err, ErrOnTrial) {
		t.Errorf("an upgrade during the trial: %v", err)
	}
	var confirmed *Outcome
	confirmAtOnce(t, b)
	if err := u.Watch(t.Context(), well, func(o *Outcome) { confirmed = o }); err != nil || confirmed == nil || confirmed.Result != ResultConfirmed {
		t.Fatalf("outcome %+v, %v", confirmed, err)
	}
	if want := (grubenv.State{Active: "b"}); b.env != want {
		t.Fatalf("the boot loader has %+v, want %+v", b.env, want)
	}
	if _, err := b.install(u, next.file, Options{}); err == nil || !IsOld(err) {
		t.Errorf("the artifact that runs: %v", err)
	}
	s, err := u.Status()
	if err != nil || s.Slots[0].State != SlotWhole || s.Slots[0].Version != "1.0.0" || s.Slots[1].State != SlotRunning || !s.Slots[1].Active {
		t.Errorf("slots %+v, %v", s.Slots, err)
	}
	back, err := u.Rollback(t.Context(), Options{By: "anna"})
	if err != nil || back.Slot != "a" || back.Version != "1.0.0" || b.env.Try != "a" {
		t.Errorf("back: %+v, %v; the boot loader has %+v", back, err, b.env)
	}
}

// confirmAtOnce makes the trial short.
func confirmAtOnce(t *testing.T, b *bench) {
	t.Helper()
	if err := record.Update(b.device("b"), func(r *record.Record) { r.Confirm = -1 }); err != nil {
		t.Fatal(err)
	}
	shortest := shortestConfirm
	shortestConfirm = 0
	t.Cleanup(func() { shortestConfirm = shortest })
}

func TestRollbackOfADamagedSlot(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	if _, err := u.Rollback(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "no version") {
		t.Errorf("back to a slot that was never written: %v", err)
	}
	if _, err := b.install(u, b.artifact("1.1.0", noise(2, imageSize)).file, Options{Stage: true}); err != nil {
		t.Fatal(err)
	}
	if what, err := u.Cancel(); what != "staged" || err != nil || b.env != (grubenv.State{Active: "a"}) {
		t.Errorf("cancelled %q, %v; the boot loader has %+v", what, err, b.env)
	}
	f, err := os.OpenFile(b.device("b"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Rollback(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "is damaged") || b.env.Try != "" {
		t.Errorf("to a damaged slot: %v; the boot loader has %+v", err, b.env)
	}
}

// What is refused before anything is written leaves both slots and the boot loader alone. What is damaged behind a good
// signature leaves a slot that nobody boots.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	image := noise(2, imageSize)
	good := b.artifact("1.1.0", image)
	text, _ := good.manifest.Marshal()
	packed := good.file[bytes.LastIndex(good.file, []byte("slot.img.zst"))/512*512+512:][:good.manifest.Packed.Size]
	stranger, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		f := bytes.Clone(good.file)
		f[at] ^= 1
		return f
	}
	before := b.content("b")
	for _, c := range []struct {
		name, why string
		file      []byte
		writes    bool // the slot is written to before it is found out
		forced    bool // force installs it
	}{
		{"nothing", "not whole", nil, false, false},
		{"not an artifact", "not", bytes.Repeat([]byte("x"), 4096), false, false},
		{"unsigned", "not signed", b.tar(text, nil, packed), false, false},
		{"signed by a stranger", keys.Public(stranger).Fingerprint(), b.tar(text, artifact.Sign(text, stranger), packed), false, false},
		{"manifest changed", "not what was signed", b.tar(bytes.Replace(text, []byte("1.1.0"), []byte("1.1.1"), 1), artifact.Sign(text, b.key), packed), false, false},
		{"other architecture", "for arm64", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.Arch = "arm64" }).file, false, false},
		{"other flavour", "of the image rpi5 for amd64, and this machine needs the plain image", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.Flavour = "rpi5" }).file, false, false},
		{"too large", "too large", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.Image.Size = partitionSize }).file, false, false},
		{"older", "older than 1.0.0", b.artifact("0.9.0", image).file, false, true},
		{"from too old a version", "upgrade to a version between", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.MinimumVersion = "1.0.5" }).file, false, true},
		{"older Kubernetes", "may not read", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.Kubernetes = "v1.36.9" }).file, false, true},
		{"Kubernetes too new", "one minor version at a time", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.Kubernetes = "v1.39.0" }).file, false, true},
		{"older DATA", "format 0 of DATA", b.artifact("1.1.0", image, func(m *artifact.Manifest) { m.DataFormat = 0 }).file, false, true},
		{"flipped bit in the manifest", "", flip(600), false, false},
		{"flipped bit in the signature", "", flip(bytes.Index(good.file, []byte("ed25519:")) + 80), false, false},
		{"flipped bit in the image", "", flip(len(good.file) / 2), true, false},
		{"image cut off", "", good.file[:len(good.file)/2], true, false},
		{"other image", "damaged", b.tar(text, artifact.Sign(text, b.key), b.repacked(noise(3, imageSize), len(packed))), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, _ := b.started("a", "1.0.0", false)
			_, err := b.install(u, c.file, Options{})
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v; want a refusal with %q", err, c.why)
			}
			if b.env != (grubenv.State{Active: "a"}) || len(b.restarts) > 0 || b.record("b") != (record.Record{}) {
				t.Errorf("the boot loader has %+v, restarts %q, the slot's record is %+v", b.env, b.restarts, b.record("b"))
			}
			if !c.writes && !bytes.Equal(b.content("b"), before) {
				t.Error("the slot was written to")
			}
			if _, err := b.install(u, c.file, Options{Force: true, Stage: true}); (err == nil) != c.forced {
				t.Errorf("forced: %v", err)
			}
			if c.forced || c.writes {
				clearSlot(t, b)
			}
		})
	}
}

// An artifact of another flavour has a kernel without the machine's drivers, so it is not taken, not even when it is forced.
func TestFlavours(t *testing.T) {
	for _, c := range []struct{ name, runs, artifact, why string }{
		{"plain", "", "", ""},
		{"the same", "rpi5", "rpi5", ""},
		{"plain for a flavour", "rpi5", "", "of the plain image for amd64, and this machine needs the image rpi5"},
		{"a flavour for plain", "", "rpi5", "of the image rpi5 for amd64, and this machine needs the plain image"},
		{"another", "rpi5", "rpi6", "of the image rpi6 for amd64, and this machine needs the image rpi5"},
	} {
		for _, force := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, force %v", c.name, force), func(t *testing.T) {
				b := newBench(t)
				u, _ := b.started("a", "1.0.0", false)
				u.Release.Flavour = c.runs
				_, err := b.install(u, b.artifact("1.1.0", noise(2, imageSize), func(m *artifact.Manifest) { m.Flavour = c.artifact }).file, Options{Force: force})
				var refused *Refusal
				if c.why == "" && err != nil || c.why != "" && (!errors.As(err, &refused) || refused.Check != "flavour" || refused.Forced || !strings.Contains(refused.Why, c.why)) {
					t.Errorf("%v; want a refusal with %q", err, c.why)
				}
			})
		}
	}
}

// repacked is an image in the packed form, filled up to a size.
func (b *bench) repacked(image []byte, size int) []byte {
	b.Helper()
	m := b.artifact("1.1.0", image)
	packed := m.file[bytes.LastIndex(m.file, []byte("slot.img.zst"))/512*512+512:][:m.manifest.Packed.Size]
	if len(packed) < size { // a frame that decoders skip (RFC 8878, 3.1.2)
		skip := []byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}
		skip[4] = byte(size - len(packed) - 8)
		packed = append(packed, append(skip, make([]byte, size-len(packed)-8)...)...)
	}
	return packed[:size]
}

// clearSlot puts slot b and the boot loader back to what they were.
func clearSlot(t *testing.T, b *bench) {
	t.Helper()
	b.clear("b")
	b.env, b.restarts = grubenv.State{Active: "a"}, nil
}

// A version that does not come up is taken back with the reason, and its artifact is not taken again.
func TestRolledBack(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		after        func(b *bench)
	}{
		{"not loaded", "boot loader could not load", func(b *bench) { b.env.Failed = "b" }},
		{"kernel", "did not come up", func(*bench) {}},
		{"stage 1", "before its root was opened", func(b *bench) { b.reach("b", record.Kernel) }},
		{"init", "its init did not start", func(b *bench) { b.reach("b", record.Root) }},
		{"machined", "machined did not start", func(b *bench) { b.reach("b", record.Init) }},
		{"later", "stopped without a word", func(b *bench) { b.reach("b", record.Machined) }},
		{"given up", "kube is not healthy", func(b *bench) {
			record.Update(b.device("b"), func(r *record.Record) { r.Phase, r.Reason = record.Machined, "kube is not healthy" })
		}},
		{"the boot loader's state is lost", "stopped without a word", func(b *bench) {
			b.reach("b", record.Machined)
			b.env, b.envBad = grubenv.State{Active: "a"}, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			u, _ := b.started("a", "1.0.0", false)
			next := b.artifact("1.1.0", noise(2, imageSize))
			if _, err := b.install(u, next.file, Options{}); err != nil {
				t.Fatal(err)
			}
			b.tryIt()
			c.after(b)
			u, o := b.started("a", "1.0.0", false)
			if o == nil || o.Result != ResultRolledBack || !strings.Contains(o.Reason, c.reason) {
				t.Fatalf("outcome %+v, want rolled back: %s", o, c.reason)
			}
			if b.env != (grubenv.State{Active: "a"}) || b.envBad {
				t.Errorf("the boot loader has %+v", b.env)
			}
			if _, o := b.started("a", "1.0.0", false); o != nil {
				t.Errorf("at the next start it says %+v again", o)
			}
			if _, err := b.install(u, next.file, Options{}); err == nil || !strings.Contains(err.Error(), "rolled back: ") {
				t.Errorf("the same artifact again: %v", err)
			}
			if r, err := b.install(u, next.file, Options{Force: true}); err != nil || len(r.Overridden) != 1 {
				t.Errorf("forced: %+v, %v", r, err)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	now := time.Unix(1000, 0)
	tr := trial{confirm: time.Minute, until: now.Add(5 * time.Minute)}
	for _, step := range []struct {
		after    time.Duration
		problems []string
		want     judgement
	}{
		{0, []string{"kube does not run"}, wait},
		{time.Minute, nil, wait},
		{100 * time.Second, []string{"kube does not answer"}, wait}, // the minute begins anew
		{2 * time.Minute, nil, wait},
		{179 * time.Second, nil, wait},
		{3 * time.Minute, nil, good},
		{301 * time.Second, []string{"kube does not answer"}, bad},
	} {
		if got := tr.judge(now.Add(step.after), step.problems); got != step.want {
			t.Errorf("after %v: %v, want %v", step.after, got, step.want)
		}
	}
	if !strings.Contains(tr.complaint, "kube does not answer") {
		t.Errorf("complaint %q", tr.complaint)
	}
}

// Whatever byte of an artifact is another, what is installed is what was signed, or nothing.
func TestFlippedBytes(t *testing.T) {
	b := newBench(t)
	image := bytes.Repeat(noise(2, 64<<10), imageSize/(64<<10)) // packs well: the rest of the file has its share
	next := b.artifact("1.1.0", image)
	start := int(next.manifest.Packed.Size)
	start = len(next.file) - (start+511)/512*512 - 1024 // of the packed image
	empty := b.content("b")
	step := 0
	for at := 0; at < len(next.file); at += step {
		if step = 53; at >= start {
			step = len(next.file) / 50
		}
		file := bytes.Clone(next.file)
		file[at] ^= byte(1 + at%255)
		u, _ := b.started("a", "1.0.0", false)
		_, err := b.install(u, file, Options{Force: true})
		switch {
		case err == nil:
			if !bytes.Equal(b.content("b"), image) || b.record("b").Digest != artifact.Digest(artifactManifest(t, next.file)) {
				t.Fatalf("byte %d of %d: what is installed is not what was signed", at, len(file))
			}
			t.Logf("byte %d of %d does not matter", at, len(file))
			clearSlot(t, b)
		case b.env != grubenv.State{Active: "a"} || b.record("b") != record.Record{}:
			t.Fatalf("byte %d of %d: %v, but the boot loader has %+v, the slot's record is %+v", at, len(file), err, b.env, b.record("b"))
		case at < start && !bytes.Equal(b.content("b"), empty):
			t.Fatalf("byte %d of %d: %v, but the slot was written to", at, len(file), err)
		case at >= start:
			clearSlot(t, b)
		}
	}
}

func artifactManifest(t *testing.T, file []byte) []byte {
	t.Helper()
	a, err := artifact.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return a.RawManifest
}

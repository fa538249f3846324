package bootfiles

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRun(t *testing.T) {
	b := newBench(t)
	b.syncs = true
	b.flash(files("0.2.0"))
	b.version(files("0.2.0"))
	if r := b.run(); r.Replaced != nil || r.Kept != nil || b.written != 0 {
		t.Errorf("as flashed: %+v, mounted %d times to be written to", r, b.written)
	}
	next := files("0.3.0")
	next["bcm2711-rpi-500.dtb"] = "a board that is new"
	next["overlays/more/b.dtbo"] = "in a folder that is new"
	next["u-boot.bin"] = files("0.2.0")["u-boot.bin"]
	b.version(next)
	r := b.run()
	want := "bcm2711-rpi-500.dtb, overlays/a.dtbo, overlays/more/b.dtbo, EFI/BOOT/BOOTAA64.EFI, config.txt, fixup4.dat, start4.elf"
	if got := strings.Join(r.Replaced, ", "); got != want || r.Kept != nil {
		t.Errorf("replaced %s, kept %s, want %s", got, r.Kept, want)
	}
	b.wants(next)
	if r := b.run(); r.Replaced != nil || b.written != 1 {
		t.Errorf("again: %+v, mounted %d times to be written to", r, b.written)
	}
}

func TestRootWithoutIndex(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	k.Mount = func(bool, func(string) error) error { t.Error("BOOT is mounted"); return nil }
	if r, err := k.Run(t.Context()); err != nil || r.Replaced != nil {
		t.Errorf("%+v, %v", r, err)
	}
	b.put("../boot.json", `{"files": [{"path": "coracle/grubenv", "size": 1, "sha256": ""}]}`)
	if _, err := k.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "which slot is booted") {
		t.Errorf("an index with what it must not have: %v", err)
	}
}

// TestConfigTxt: what a person changed stays, over upgrades, and what nobody changed is replaced.
func TestConfigTxt(t *testing.T) {
	config := func(version string) string { return files(version)["config.txt"] }
	const mine = "hdmi_mode=4\n"
	for name, tc := range map[string]struct {
		flashed string // of which version it is
		change  func(*bench)
		want    string
		kept    bool
	}{
		"as flashed":                 {"0.2.0", func(*bench) {}, config("0.3.0"), false},
		"changed":                    {"0.2.0", func(b *bench) { b.put("config.txt", mine) }, mine, true},
		"changed, and back":          {"0.2.0", func(b *bench) { b.put("config.txt", mine); b.run(); b.put("config.txt", config("0.2.0")) }, config("0.3.0"), false},
		"removed":                    {"0.2.0", func(b *bench) { b.ok(os.Remove(filepath.Join(b.boot, "config.txt"))) }, config("0.3.0"), false},
		"flashed by another version": {"0.1.0", func(*bench) {}, config("0.1.0"), true},
		"DATA is new":                {"0.2.0", func(b *bench) { b.ok(os.Remove(b.data)) }, config("0.2.0"), true},
		"DATA is damaged":            {"0.2.0", func(b *bench) { b.ok(os.WriteFile(b.data, []byte("{"), 0o600)) }, config("0.2.0"), true},
		"DATA has nothing":           {"0.2.0", func(b *bench) { b.ok(os.WriteFile(b.data, []byte("null"), 0o600)) }, config("0.2.0"), true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.flash(files("0.2.0"))
			b.put("config.txt", config(tc.flashed))
			b.version(files("0.2.0"))
			b.run()
			tc.change(b)
			b.version(files("0.3.0"))
			r, err := b.keeper().Run(t.Context())
			if (err != nil) != (name == "DATA is damaged") {
				t.Errorf("error %v", err)
			}
			want := files("0.3.0")
			want["config.txt"] = tc.want
			b.wants(want)
			if kept := slices.Equal(r.Kept, []string{"config.txt"}); kept != tc.kept {
				t.Errorf("kept %s", r.Kept)
			}
			if tc.kept && tc.want != mine {
				return // nothing is known of it any more
			}
			b.run()
			b.put("config.txt", tc.want)
			b.version(files("0.4.0"))
			if r := b.run(); slices.Contains(r.Kept, "config.txt") != tc.kept {
				t.Errorf("the version after: %+v", r)
			}
		})
	}
}

func TestWithoutData(t *testing.T) {
	b := newBench(t)
	b.data = ""
	b.flash(files("0.2.0"))
	b.version(files("0.3.0"))
	r := b.run()
	if !slices.Equal(r.Kept, []string{"config.txt"}) || len(r.Replaced) != 5 {
		t.Errorf("%+v", r)
	}
}

// TestRunRefuses: nothing on BOOT is changed, and the error says why.
func TestRunRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*bench)
		want   string
	}{
		"full":                        {func(b *bench) { b.free = 4096 }, "BOOT is full: 4 KiB are free"},
		"full after all":              {func(b *bench) { b.failAt(2, failure{err: unix.ENOSPC}) }, "BOOT is full"},
		"torn":                        {func(b *bench) { b.failAt(3, failure{err: unix.EIO}) }, "have it repaired"},
		"set read-only by the kernel": {func(b *bench) { b.failAt(1, failure{err: unix.EROFS}) }, "have it repaired"},
		"a disk that forgets":         {func(b *bench) { b.forgets = "boot-003.new" }, "the disk is failing"},
		"a file of the root is gone":  {func(b *bench) { delete(b.root, "boot/start4.elf") }, "start4.elf"},
		"a file of the root is other": {func(b *bench) { b.root["boot/start4.elf"].Data[7] ^= 1 }, "not the one in its index"},
		"one place for two": {func(b *bench) {
			b.ok(os.Link(filepath.Join(b.boot, "start4.elf"), filepath.Join(b.boot, "boot-005.new")))
		}, "boot-005.new and start4.elf are at the same place"},
		"a folder where a file should be": {func(b *bench) {
			b.ok(os.Remove(filepath.Join(b.boot, "u-boot.bin")))
			b.ok(os.Mkdir(filepath.Join(b.boot, "u-boot.bin"), 0o755))
		}, "u-boot.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			b := upgraded(t)
			tc.change(b)
			before := b.onBoot()
			r, err := b.keeper().Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || r.Replaced != nil {
				t.Errorf("%+v, error %v, want one with %q", r, err, tc.want)
			}
			if got := b.onBoot(); !maps.Equal(got, before) {
				t.Errorf("BOOT has %s, had %s", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(before)))
			}
		})
	}
}

// TestStopped: machined may be asked to end at any time.
func TestStopped(t *testing.T) {
	b := newBench(t)
	b.flash(files("0.2.0"))
	b.version(files("0.3.0"))
	b.data = ""
	before := b.onBoot()
	ctx := &endsAfter{Context: t.Context()}
	for ; ; ctx.calls, ctx.most = 0, ctx.most+1 {
		_, err := b.keeper().Run(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, errEnded) || !maps.Equal(b.onBoot(), before) {
			t.Fatalf("after %d: %v; BOOT has %s", ctx.most, err, slices.Sorted(maps.Keys(b.onBoot())))
		}
	}
	if ctx.most < 6 {
		t.Errorf("it looks %d times", ctx.most)
	}
}

// TestAnyCallFails: the machine goes on, and the next run finds nothing that it could not mend.
func TestAnyCallFails(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := 0; ; n++ {
			b := upgraded(t)
			b.failAt(n, failure{unix.EIO, done})
			r, err := b.keeper().Run(t.Context())
			calls := b.calls
			if n >= len(calls) {
				if err != nil {
					t.Errorf("%v", err)
				}
				break
			}
			what := fmt.Sprintf("call %d, %s, done %v", n, calls[n], done)
			b.oldOrNew(what, r.Replaced)
			if err == nil {
				t.Errorf("%s: no error", what)
			}
			for _, p := range r.Replaced {
				if !strings.Contains(err.Error(), p) {
					t.Errorf("%s: %v does not name %s", what, err, p)
				}
			}
			b.mend()
			b.run()
			b.wants(files("0.3.0"))
		}
	}
}

// TestPowerCuts: the power is cut at each call that changes BOOT, before and after it.
func TestPowerCuts(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := 0; ; n++ {
			b := upgraded(t)
			b.failAt(n, failure{errCut, done})
			b.cut = true
			_, err := b.keeper().Run(t.Context())
			if n >= len(b.calls) {
				if err != nil || n < 6*6 {
					t.Errorf("%d calls: %v", n, err)
				}
				break
			}
			what := fmt.Sprintf("cut at call %d, %s, done %v", n, b.calls[n], done)
			if !errors.Is(err, errCut) {
				t.Errorf("%s: error %v", what, err)
			}
			b.oldOrNew(what, nil)
			// And again, while the next boot repairs that.
			b.failAt(n/2, failure{errCut, done})
			b.keeper().Run(t.Context())
			b.oldOrNew(what+", and again", nil)
			b.mend()
			b.run()
			b.wants(files("0.3.0"))
		}
	}
}

// oldOrNew says that every file is as it was or as it should be, that what was replaced is, and that what refers to something is not
// newer than that.
func (b *bench) oldOrNew(what string, replaced []string) {
	b.Helper()
	got, before, after := b.onBoot(), files("0.2.0"), files("0.3.0")
	old := ""
	for p := range strings.SplitSeq(inOrder, ", ") {
		switch {
		case got[p] == after[p]:
			if old != "" {
				b.Errorf("%s: %s is new, and %s is old", what, p, old)
			}
		case got[p] != before[p] || slices.Contains(replaced, p):
			b.Errorf("%s: %s begins with %.40q", what, p, got[p])
		default:
			old = p
		}
	}
	for p, text := range others {
		if got[p] != text {
			b.Errorf("%s: %s begins with %.40q", what, p, got[p])
		}
	}
}

// endsAfter is a context that ends once it was looked at so often.
type endsAfter struct {
	context.Context
	calls, most int
}

var errEnded = errors.New("machined ends")

func (c *endsAfter) Err() error {
	if c.calls == c.most {
		return errEnded
	}
	c.calls++
	return nil
}

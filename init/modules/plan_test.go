package modules

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func textFiles(files map[string]string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// As on Debian 13: erofs fails without crc32c_generic, which only a soft dependency names.
var debian = textFiles(map[string]string{
	"modules.dep": `kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/lib/libcrc32c.ko.xz:
kernel/crypto/crc32c_generic.ko.xz:
kernel/arch/x86/crypto/crc32c-intel.ko.xz:
kernel/drivers/md/dm-mod.ko.xz:
kernel/drivers/md/dm-bufio.ko.xz: kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-bufio.ko.xz kernel/drivers/md/dm-mod.ko.xz kernel/lib/reed_solomon.ko.xz
kernel/lib/reed_solomon.ko.xz:
kernel/drivers/block/virtio_blk.ko.xz:
kernel/drivers/uio/late.ko.xz:
kernel/drivers/uio/circle.ko.xz:
kernel/drivers/uio/orphan.ko.xz: kernel/gone.ko.xz
kernel/drivers/md/raid.ko.xz:
`,
	"modules.softdep": `# Soft dependencies extracted from modules themselves.
softdep libcrc32c pre: crc32c
softdep virtio_blk post: late
softdep late pre: circle
softdep circle pre: late post: virtio-blk
softdep raid pre: dm-bufio
softdep bad
softdep cifs gcm
`,
	"modules.alias": `# Aliases extracted from modules themselves.
alias fs-erofs erofs
alias crc32c crc32c_generic
alias crypto-crc32c crc32c_generic
alias crc32c crc32c_intel
alias virtio:d00000002v* virtio_blk
alias acpi*:LNXPWRBN:* late
alias
alias x
`,
	"modules.builtin": "kernel/drivers/virtio/virtio_pci.ko\n",
})

func TestPlan(t *testing.T) {
	for name, test := range map[string]struct {
		want    []string
		steps   string
		unknown string
	}{
		"dependencies first": {
			want:  []string{"dm-verity"},
			steps: "reed_solomon dm_mod dm_bufio(dm_mod) dm_verity(reed_solomon,dm_mod,dm_bufio)",
		},
		"soft dependency by alias": {
			want:  []string{"fs-erofs"},
			steps: "crc32c_generic? crc32c_intel? libcrc32c(crc32c_generic,crc32c_intel) erofs(libcrc32c)",
		},
		"soft dependency that a name asks for too": {
			want:  []string{"fs-erofs", "crc32c_intel"},
			steps: "crc32c_generic? crc32c_intel libcrc32c(crc32c_generic,crc32c_intel) erofs(libcrc32c)",
		},
		"need of a soft dependency": {want: []string{"raid"}, steps: "dm_mod? dm_bufio?(dm_mod) raid(dm_bufio)"},
		"need of a soft dependency that a name asks for too": {
			want:  []string{"raid", "dm-bufio"},
			steps: "dm_mod dm_bufio(dm_mod) raid(dm_bufio)",
		},
		"need of a soft dependency that is needed too": {
			want:  []string{"raid", "dm-verity"},
			steps: "dm_mod dm_bufio(dm_mod) raid(dm_bufio) reed_solomon dm_verity(dm_mod,dm_bufio,reed_solomon)",
		},
		"device, post, circle": {
			want:  []string{"virtio:d00000002v00001AF4"},
			steps: "virtio_blk circle? late?(virtio_blk,circle)",
		},
		"bus with a wildcard": {want: []string{"acpi:LNXPWRBN:"}, steps: "circle? virtio_blk?(circle) late(circle)"},
		"once":                {want: []string{"dm-mod", "dm_mod"}, steps: "dm_mod"},
		"builtin":             {want: []string{"virtio_pci"}},
		"unknown":             {want: []string{"nope", "dm-mod"}, steps: "dm_mod", unknown: "nope"},
		"need without a file": {want: []string{"orphan"}, steps: "orphan"},
	} {
		t.Run(name, func(t *testing.T) {
			ix, err := readIndex(debian)
			if err != nil {
				t.Fatal(err)
			}
			steps, unknown, err := plan(ix, test.want, func(a []string) (map[string][]string, error) {
				return findAliases(debian, a)
			})
			if err != nil {
				t.Fatal(err)
			}
			// In a circle of soft dependencies, any order that ends is right: it is fixed here.
			if got := describe(steps); got != test.steps {
				t.Errorf("steps\n got %s\nwant %s", got, test.steps)
			}
			if got := strings.Join(unknown, " "); got != test.unknown {
				t.Errorf("unknown = %q, want %q", got, test.unknown)
			}
		})
	}
}

// describe writes steps as NAME, ? for an optional one, and what it waits for in parentheses.
func describe(steps []step) string {
	var out []string
	for _, s := range steps {
		var after []string
		for _, i := range s.after {
			after = append(after, steps[i].name)
		}
		text := s.name
		if s.optional {
			text += "?"
		}
		if after != nil {
			text += "(" + strings.Join(after, ",") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// FuzzPlan: whatever the index files say, planning ends, a step waits for earlier ones only, and what one that is not
// optional needs is not optional either.
func FuzzPlan(f *testing.F) {
	for _, name := range []string{"dm-verity", "fs-erofs", "late"} {
		f.Add(string(debian["modules.dep"].Data), string(debian["modules.softdep"].Data), string(debian["modules.alias"].Data), name)
	}
	f.Fuzz(func(t *testing.T, dep, softdep, alias, name string) {
		fsys := textFiles(map[string]string{"modules.dep": dep, "modules.softdep": softdep, "modules.alias": alias})
		ix, err := readIndex(fsys)
		if err != nil {
			t.Fatal(err)
		}
		steps, _, err := plan(ix, []string{name}, func(a []string) (map[string][]string, error) {
			return findAliases(fsys, a)
		})
		if err != nil {
			return // A line of modules.alias that is too long.
		}
		for i, s := range steps {
			if len(s.after) > 0 && slices.Max(s.after) >= i {
				t.Errorf("step %d waits for %v", i, s.after)
			}
			for _, need := range ix.needs[s.name] {
				if j := slices.IndexFunc(steps, func(s step) bool { return s.name == need }); j >= 0 && steps[j].optional && !s.optional {
					t.Errorf("%s needs %s, which is optional", s.name, need)
				}
			}
		}
	})
}

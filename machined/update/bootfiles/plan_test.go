package bootfiles

import (
	"fmt"
	"slices"
	"testing"

	index "github.com/coracle-os/coracle/images/bootfiles"
)

func TestPlanFor(t *testing.T) {
	files := []index.File{
		{Path: "a.dtb", Size: 1, SHA256: "new a"},
		{Path: "config.txt", Size: 512, SHA256: "new c", KeepIfChanged: true},
		{Path: "start.elf", Size: 1025, SHA256: "new s"},
	}
	type sums = map[string]string
	for name, tc := range map[string]struct {
		on, ours sums
		left     []string
		write    string
		kept     string
		space    uint64
	}{
		"as it should be":           {on: sums{"a.dtb": "new a", "config.txt": "new c", "start.elf": "new s"}},
		"nothing is there":          {write: "[a.dtb config.txt start.elf]", space: 1024 + 1024 + 1536 + 512},
		"an older version's":        {on: sums{"a.dtb": "old a", "config.txt": "old c", "start.elf": "old s"}, ours: sums{"config.txt": "old c"}, write: "[a.dtb config.txt start.elf]", space: 4096},
		"one is different":          {on: sums{"a.dtb": "new a", "config.txt": "new c", "start.elf": "old s"}, write: "[start.elf]", space: 2048},
		"cut between two":           {on: sums{"a.dtb": "new a", "config.txt": "old c", "start.elf": "old s"}, ours: sums{"config.txt": "old c"}, write: "[config.txt start.elf]", space: 3072},
		"changed by a person":       {on: sums{"a.dtb": "new a", "config.txt": "mine", "start.elf": "old s"}, ours: sums{"config.txt": "old c"}, write: "[start.elf]", kept: "[config.txt]", space: 2048},
		"nothing is known of it":    {on: sums{"a.dtb": "new a", "config.txt": "old c", "start.elf": "new s"}, kept: "[config.txt]"},
		"removed by a person":       {on: sums{"a.dtb": "new a", "start.elf": "new s"}, ours: sums{"config.txt": "old c"}, write: "[config.txt]", space: 1024},
		"ours counts only for that": {on: sums{"a.dtb": "mine", "config.txt": "new c", "start.elf": "new s"}, ours: sums{"a.dtb": "other"}, write: "[a.dtb]", space: 1024},
		"something is left":         {on: sums{"a.dtb": "new a", "config.txt": "new c", "start.elf": "new s"}, left: []string{"boot-000.new"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := planFor(files, onBoot{sums: tc.on, leftovers: tc.left, cluster: 512}, tc.ours)
			var write []string
			for _, f := range p.write {
				write = append(write, f.Path)
			}
			shown := func(list []string) string {
				if list == nil {
					return ""
				}
				return fmt.Sprint(list)
			}
			if shown(write) != tc.write || shown(p.kept) != tc.kept || p.space != tc.space || !slices.Equal(p.remove, tc.left) {
				t.Errorf("write %s, kept %s, space %d, remove %s", shown(write), shown(p.kept), p.space, p.remove)
			}
			if p.empty() != (tc.write == "" && tc.left == nil) {
				t.Errorf("empty: %v", p.empty())
			}
		})
	}
}

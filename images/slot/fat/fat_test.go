package fat_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
)

var date = time.Date(2026, 11, 22, 10, 20, 30, 0, time.UTC)

func TestMakeHoldsItsFilesAndRepeats(t *testing.T) {
	tools := disktest.Tools(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	big := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	if err := os.WriteFile(source, big, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := fat.Spec{
		Size: 34 << 20, Label: "TEST", ID: 0x12345678, Time: date,
		Files: []fat.File{
			{Path: "EFI/BOOT/BOOTX64.EFI", Data: []byte("efi")},
			{Path: "coracle/a long name.json", Data: []byte("{}")},
			{Path: "coracle/empty"},
			{Path: "vmlinuz", Source: source},
		},
	}
	for _, cluster := range []int{0, 32 << 10} {
		spec.Cluster = cluster
		var images [2][]byte
		for i := range images {
			name := filepath.Join(dir, "fat.img")
			if err := fat.Make(t.Context(), tools, name, spec); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			images[i] = b
			if i == 0 {
				time.Sleep(2100 * time.Millisecond) // so that a date taken from the clock differs: FAT counts seconds in twos
			}
		}
		if !bytes.Equal(images[0], images[1]) {
			t.Errorf("cluster %d: two builds differ", cluster)
		}
		run := func(name string, args ...string) string {
			cmd := tools.Command(t.Context(), name, args...)
			cmd.Env = append(cmd.Env, "TZ=UTC")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s %q: %v %s", name, args, err, err.(*exec.ExitError).Stderr)
			}
			return string(out)
		}
		image := filepath.Join(dir, "fat.img")
		run("fsck.fat", "-n", image)
		if got := run("mtype", "-i", image, "::/vmlinuz"); got != string(big) {
			t.Errorf("cluster %d: vmlinuz has %d bytes, want %d", cluster, len(got), len(big))
		}
		list := run("mdir", "-i", image, "::/coracle")
		for _, want := range []string{"a long name.json", "2026-11-22", "10:20"} {
			if !strings.Contains(list, want) {
				t.Errorf("cluster %d: listing lacks %q:\n%s", cluster, want, list)
			}
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	good := fat.Spec{Size: 1 << 20, Label: "TEST", Time: date, Files: []fat.File{{Path: "a", Data: []byte("x")}}}
	tests := map[string]struct {
		change func(*fat.Spec)
		want   string
	}{
		"no size":       {func(s *fat.Spec) { s.Size = 0 }, "size 0"},
		"odd cluster":   {func(s *fat.Spec) { s.Cluster = 3000 }, "cluster size 3000"},
		"long label":    {func(s *fat.Spec) { s.Label = "TWELVE CHARS" }, "label"},
		"label case":    {func(s *fat.Spec) { s.Label = "Boot" }, "label"},
		"old date":      {func(s *fat.Spec) { s.Time = time.Unix(0, 0) }, "1980"},
		"absolute path": {func(s *fat.Spec) { s.Files = []fat.File{{Path: "/a"}} }, "relative"},
		"parent path":   {func(s *fat.Spec) { s.Files = []fat.File{{Path: "../a"}} }, "relative"},
		"twice":         {func(s *fat.Spec) { s.Files = []fat.File{{Path: "a"}, {Path: "A"}} }, "twice"},
		"too full":      {func(s *fat.Spec) { s.Files[0].Data = make([]byte, 1<<20) }, "need"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := good
			spec.Files = append([]fat.File(nil), good.Files...)
			test.change(&spec)
			err := fat.Make(t.Context(), nil, filepath.Join(t.TempDir(), "x"), spec)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

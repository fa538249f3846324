package bootfiles

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var sum = strings.Repeat("ab", 32)

// file is one of 1 KiB.
func file(path string) File { return File{Path: path, Size: 1 << 10, SHA256: sum} }

func paths(x Index) []string {
	var list []string
	for _, f := range x.Files {
		list = append(list, f.Path)
	}
	return list
}

func TestParse(t *testing.T) {
	text := `{"files": [
		{"path": "overlays/disable-wifi.dtbo", "size": 3, "sha256": "` + sum + `"},
		{"path": "config.txt", "size": 9, "sha256": "` + sum + `", "keepIfChanged": true}
	]}`
	x, err := Parse([]byte(text))
	want := []File{{"overlays/disable-wifi.dtbo", 3, sum, false}, {"config.txt", 9, sum, true}}
	if err != nil || !slices.Equal(x.Files, want) {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestParseRefuses(t *testing.T) {
	whole := func(files ...File) string {
		b, err := json.Marshal(Index{files})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	change := func(change func(*File)) string {
		f := file("start4.elf")
		change(&f)
		return whole(f)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":            {"", "EOF"},
		"no files":           {`{"files": []}`, "no files"},
		"cut off":            {whole(file("a"))[:40], "unexpected EOF"},
		"two of them":        {whole(file("a")) + whole(file("a")), "follows"},
		"an unknown field":   {`{"files": [{"path": "a", "mode": 7}]}`, "mode"},
		"too long":           {whole(file("a")) + strings.Repeat(" ", MaxIndex), "at most"},
		"an empty file":      {change(func(f *File) { f.Size = 0 }), "not empty"},
		"larger than BOOT":   {change(func(f *File) { f.Size = 1 << 62 }), "at most"},
		"together too large": {whole(File{"a", MaxSize / 2, sum, false}, File{"b", MaxSize/2 + 1, sum, false}), "b: "},
		"half a SHA-256":     {change(func(f *File) { f.SHA256 = sum[:32] }), "64 hex digits"},
		"in capitals":        {change(func(f *File) { f.SHA256 = strings.ToUpper(sum) }), "64 hex digits"},
		"twice":              {whole(file("START4.elf"), file("start4.ELF")), "twice"},
		"a file as a folder": {whole(file("EFI"), file("efi/boot")), "a folder that is a file"},
		"the wrong order":    {whole(file("config.txt"), file("u-boot.bin")), "config.txt comes before u-boot.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// TestWhatIsNotTheSystems: no index has what decides which slot is booted, or what a person writes.
func TestWhatIsNotTheSystems(t *testing.T) {
	for p, want := range map[string]string{
		"coracle/grub.cfg":         "which slot is booted",
		"coracle/grubenv":          "which slot is booted",
		"coracle/grubenv.copy":     "which slot is booted",
		"coracle/custom.cfg":       "which slot is booted",
		"Coracle/GRUB.CFG":         "which slot is booted",
		"coracle":                  "which slot is booted",
		"coracle/x86_64-efi/a.mod": "which slot is booted",
		"machine.yaml":             "machine config",
		"MACHINE.YAML":             "machine config",
		"machine.yaml.imported":    "machine config",
		"EFI/BOOT/boot-000.new":    "being written",
		"BOOT-999.NEW":             "being written",
		"":                         "no path",
		"/start4.elf":              "no path",
		"EFI//BOOT":                "no path",
		"../start4.elf":            "no path",
		"EFI/./BOOT":               "no path",
		"EFI/":                     "no path",
		".hidden":                  "no path",
		"end.":                     "no path",
		`EFI\BOOT`:                 "no path",
		"a b":                      "no path",
		"ünicode":                  "no path",
		"C:":                       "no path",
		strings.Repeat("a", 201):   "at most 200",
		"EFI/BOOT/BOOTX64.EFI":     "",
		"bcm2711-rpi-4-b.dtb":      "",
		"coracle.txt":              "",
		"boot-1000.new":            "",
		"boot-00.new":              "",
		"boot-+01.new":             "",
		"coracles/grub.cfg":        "",
	} {
		_, err := Index{[]File{file(p)}}.Marshal()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want one with %q", p, err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	dir := fstest.MapFS{}
	// As docs/boards.md has a Raspberry Pi's start, backwards.
	want := strings.Fields("bcm2711-rpi-4-b.dtb overlays/a.dtbo EFI/BOOT/BOOTAA64.EFI u-boot-pi2.bin u-boot.bin config.txt " +
		"fixup.dat start.elf fixup4.dat start4.elf bootcode.bin")
	for _, p := range want {
		dir[p] = &fstest.MapFile{Data: []byte("abc")}
	}
	x, err := Describe(dir)
	if err != nil || !slices.Equal(paths(x), want) {
		t.Fatalf("%q, %v", paths(x), err)
	}
	// FIPS 180-2, B.1.
	f := File{Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
	for _, got := range x.Files {
		f.Path, f.KeepIfChanged = got.Path, got.Path == "config.txt"
		if got != f {
			t.Errorf("%+v, want %+v", got, f)
		}
	}
	text, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(text); err != nil || !slices.Equal(again.Files, x.Files) {
		t.Errorf("read again: %+v, %v", again, err)
	}

	for p, want := range map[string]string{"coracle/grubenv": "which slot is booted", "empty": "not empty"} {
		dir := fstest.MapFS{"a": &fstest.MapFile{Data: []byte("a")}, p: &fstest.MapFile{Data: []byte(strings.TrimPrefix(p, "empty"))}}
		if _, err := Describe(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", p, err, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, p := range inOrder {
		if _, err := path.Match(p, ""); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, n := range []int{0, 7, 999} {
		if name := Temporary(n); !IsTemporary(name) || !IsTemporary(strings.ToUpper(name)) || len(name) > 12 {
			t.Errorf("%s is no temporary name of 8 and 3 characters", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	text, err := Index{[]File{file("EFI/BOOT/BOOTX64.EFI"), {"config.txt", 5, sum, true}}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"files":[{"path":"coracle/grubenv"}]}`))
	f.Add([]byte(`{"files":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := Parse(b)
		if err != nil {
			return
		}
		for _, f := range x.Files {
			if low := strings.ToLower(f.Path); strings.HasPrefix(low, "coracle/") || strings.Contains(low, "grubenv") && path.Dir(low) == "coracle" || path.IsAbs(low) || path.Clean(f.Path) != f.Path {
				t.Errorf("accepted %q", f.Path)
			}
		}
		again, err := x.Marshal()
		if err != nil {
			if len(x.Files) < 100 {
				t.Errorf("an index that was read cannot be written: %v", err)
			}
			return
		}
		if y, err := Parse(again); err != nil || !slices.Equal(x.Files, y.Files) {
			t.Errorf("%s is read as %+v, %v", again, y, err)
		}
	})
}

package definition

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/arch"
)

// minimal is the smallest valid definition.
const minimal = `arch: amd64
kernel:
  package: linux-image-amd64
  modules:
    initramfs: [verity-root]
    root: [kubernetes]
initramfs:
  init: ./init/stage1
`

const key = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// nothing reads files that are not there.
func nothing(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestParseTrust(t *testing.T) {
	d, err := Parse("a.yml", []byte(minimal+"trust:\n- {name: releases 2026, key: \""+key+"\"}\nminimumVersion: 0.1.0\n"), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Trust) != 1 || d.Trust[0].Name != "releases 2026" || d.Trust[0].Key.String() != key || d.MinimumVersion != "0.1.0" {
		t.Errorf("trust %+v, minimum %q", d.Trust, d.MinimumVersion)
	}
}

func TestParseSetsDefaults(t *testing.T) {
	d, err := Parse("a.yml", []byte(minimal), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if d.Debian.Suite != "trixie" || d.Root.Format != "squashfs" || d.Root.Block != 128<<10 || d.Disk.Slot != 320<<20 {
		t.Errorf("defaults are not set: %+v", d)
	}
	for _, want := range []string{"console=ttyS0,115200", "panic=10"} {
		if !slices.Contains(d.Kernel.Arguments, want) {
			t.Errorf("kernel arguments %q are without %s", d.Kernel.Arguments, want)
		}
	}
	d, err = Parse("a.yml", []byte(strings.Replace(minimal, "kernel:", "kernel:\n  arguments: [quiet]", 1)), nothing)
	if err != nil || !slices.Equal(d.Kernel.Arguments, []string{"quiet"}) {
		t.Errorf("kernel arguments of its own: %+v, %v", d, err)
	}
}

// TestParseRefusesArguments: what GRUB's shell would not pass on is found here, where the line can be named.
func TestParseRefusesArguments(t *testing.T) {
	for _, bad := range []string{"", "a b", `a\b`, "a;b", "a|b", "a&b", "a<b", "a>b", "a{b", "a}b", "a#b", "a$b", "a'b", "a\"b", "a\tb", "a\rb"} {
		text := strings.Replace(minimal, "kernel:", fmt.Sprintf("kernel:\n  arguments:\n  - quiet\n  - %q", bad), 1)
		if _, err := Parse("a.yml", []byte(text), nothing); err == nil || !strings.Contains(err.Error(), "a.yml:5: kernel.arguments[1]") {
			t.Errorf("argument %q: error %v, want one for line 5", bad, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		name, add string
		want      []string // each in the error
	}{
		{"an unknown field", "kernl: {}\n", []string{"a.yml:9: kernl: unknown field", `did you mean "kernel"?`}},
		{"an unknown nested field", "root:\n  formt: squashfs\n", []string{"a.yml:10: root.formt", `did you mean "format"?`}},
		{"an unknown format", "root: {format: ext4}\n", []string{"root.format", "squashfs or erofs"}},
		{"a size without sense", "disk: {slot: 64 parsecs}\n", []string{"disk.slot", "64MiB"}},
		{"a slot of an odd size", "disk: {slot: 100MB}\n", []string{"a.yml:9: disk.slot", "multiple"}},
		{"another boot loader", "disk: {bootloader: lilo}\n", []string{"a.yml:9: disk.bootloader", "grub"}},
		{"an odd block", "root: {block: 100KiB}\n", []string{"root.block", "power of two"}},
		{"a level that zstd has not", "root: {level: 23}\n", []string{"root.level", "22"}},
		{"a relative path", "go: [{path: usr/bin/x, package: ./x}]\n", []string{"go[0].path", "absolute"}},
		{"a path below a symlink", "go: [{path: /bin/x, package: ./x}]\n", []string{"/usr/bin/x"}},
		{"a path outside of the repository", "files: [{path: /etc/a, source: ../../etc/shadow}]\n", []string{"files[0].source", "inside"}},
		{"two files at one path", "files:\n- {path: /etc/a, content: a}\n- {path: /etc/a, content: b}\n", []string{"a.yml:11", "already", "files[0].path"}},
		{"a file of two kinds", "files: [{path: /etc/a, content: a, symlink: b}]\n", []string{"content and symlink are there"}},
		{"a file of no kind", "files: [{path: /etc/a}]\n", []string{"none is there"}},
		{"a mode for a symlink", "files: [{path: /etc/a, symlink: b, mode: 0777}]\n", []string{"files[0].mode"}},
		{"a mode that is none", "files: [{path: /etc/a, content: b, mode: rwx}]\n", []string{"files[0].mode", "0644"}},
		{"an option for a package", "packages: [{name: --purge, files: [/usr/bin/x]}]\n", []string{"packages[0].name", "--purge"}},
		{"a package without files", "packages: [{name: nftables}]\n", []string{"packages[0].files"}},
		{"a service without a program", "services: [{name: a, program: /usr/bin/a}]\n", []string{"services[0].program"}},
		{"a trusted key without a name", "trust:\n- {key: \"" + key + "\"}\n", []string{"a.yml:10: trust[0].name", "needed"}},
		{"a trusted name without a key", "trust:\n- {name: releases}\n", []string{"a.yml:10: trust[0].key", "ed25519:"}},
		{"a trusted key that is none", "trust:\n- {name: releases, key: \"ed25519:AAAA\"}\n", []string{"a.yml:10: trust[0].key", "3 bytes"}},
		{"a name of two lines", "trust:\n- {name: \"a\\nb\", key: \"" + key + "\"}\n", []string{"a.yml:10: trust[0].name"}},
		{"a key trusted twice", "trust:\n- {name: a, key: \"" + key + "\"}\n- {name: b, key: \"" + key + "\"}\n", []string{"a.yml:11: trust[1].key", "trust[0]"}},
		{"a minimum that is no version", "minimumVersion: 1.2\n", []string{"a.yml:9: minimumVersion", "1.2.3"}},
		{"a flavour that is no part of a file's name", "flavour: Pi/5\n", []string{"a.yml:9: flavour", "small letters"}},
		{"a hash that dm-verity is not made with", "root: {hash: md5}\n", []string{"a.yml:9: root.hash", "sha256"}},
		{"no disk at all", "disk: {uefi: false}\n", []string{"a.yml:9: disk.uefi", "disk.boards"}},
		{"several mistakes at once", "root: {level: 99}\ndisk: {slot: 1kB}\n", []string{"root.level", "disk.slot"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("a.yml", []byte(minimal+test.add), nothing)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the error:\n%v", want, err)
				}
			}
		})
	}
}

func TestParseRefusesSuites(t *testing.T) {
	for _, suite := range []string{"a b", "../x", "-backports", "Trixie"} {
		text := strings.Replace(minimal, "kernel:", fmt.Sprintf("kernel:\n  suite: %q", suite), 1)
		if _, err := Parse("a.yml", []byte(text), nothing); err == nil || !strings.Contains(err.Error(), "a.yml:3: kernel.suite") {
			t.Errorf("%q: error %v", suite, err)
		}
	}
}

func TestParseNamesWhatIsMissing(t *testing.T) {
	_, err := Parse("a.yml", []byte("arch: amd65\nkernel:\n  modules: {initramfs: [verity-rot], root: [kubernetes]}\n"), nothing)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`did you mean "amd64"?`, `did you mean "verity-root"?`, "kernel.package: is needed", "initramfs.init: is needed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"1": 1, "64MiB": 64 << 20, "160MB": 160e6, "2 GiB": 2 << 30, "4KiB": 4096} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1MiB", "MiB", "9999999999GiB", "1.5GiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d, want an error", text, s)
		}
	}
}

func TestInclude(t *testing.T) {
	files := map[string]string{
		"common.yml": "kernel:\n  package: linux-image-of-all\n  modules:\n    initramfs: [verity-root]\n    root: [kubernetes]\n" +
			"initramfs: {init: ./init/stage1}\ngo: [{path: /usr/bin/init, package: ./init}]\nroot: {level: 7, block: 64KiB}\n",
		"wrong.yml":  "kernl: {}\n",
		"whole.yml":  minimal,
		"nested.yml": "include: [common.yml]\n",
	}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	d, err := Parse("a.yml", []byte("arch: arm64\ninclude: [common.yml]\nkernel:\n  package: linux-image-arm64\n  modules: {root: [network]}\n"+
		"services: [{name: init, program: /usr/bin/init}]\nroot: {hash: sha256, level: 9}\n"), read)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(d.Kernel.Package, d.Kernel.Modules, d.Initramfs, d.Root, d.Include), "linux-image-arm64{[verity-root] [kubernetes network]} {./init/stage1} {squashfs zstd 9 64KiB 156250KiB sha256} []"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, test := range []struct{ name, text, want string }{
		{"a file that is not there", "arch: amd64\ninclude: [no.yml]\n", "a.yml:2: include[0]: file does not exist"},
		{"a file outside", "arch: amd64\ninclude: [../no.yml]\n", "not a path inside"},
		{"a mistake in it", "arch: amd64\ninclude: [wrong.yml]\n", "wrong.yml:1: kernl: unknown field"},
		{"a whole definition", "arch: amd64\ninclude: [whole.yml]\n", "whole.yml has the field arch, flavour or include"},
		{"one that includes", "arch: amd64\ninclude: [nested.yml]\n", "nested.yml has the field arch, flavour or include"},
		{"a file twice", "arch: amd64\ninclude: [common.yml]\nfiles: [{path: /usr/bin/init, content: x}]\n", "a.yml:3: files[0].path: /usr/bin/init is already put there by go[0].path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse("a.yml", []byte(test.text), read); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// The definitions of the repository are valid, and what they name of it is there.
func TestImages(t *testing.T) {
	names, err := filepath.Glob("../../../images/a*.yml")
	if err != nil || len(names) <= len(arch.Names()) {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		d, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		root, err := Repository(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Files {
			if _, err := os.Stat(filepath.Join(root, f.Source)); err != nil {
				t.Errorf("%s: %s: %v", name, f.Path, err)
			}
		}
		for _, c := range d.Containers {
			if _, err := os.Stat(filepath.Join(root, c.Definition)); err != nil {
				t.Errorf("%s: %s: %v", name, c.Path, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "files: [{path: /etc/a, concatenate: 'p:/*'}]\nroot: {format: erofs, compression: xz}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("fuzz.yml", data, nothing)
		if (d == nil) == (err == nil) {
			t.Fatalf("definition %v with error %v", d, err)
		}
	})
}

package debian

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeELF writes a 64-bit ELF file that has nothing but an interpreter, needed libraries and a run path.
func writeELF(t *testing.T, name, interpreter, runPath string, needed ...string) {
	t.Helper()
	const headers, sections = 64 + 56, 4
	strs := []byte{0}
	str := func(s string) uint64 {
		at := len(strs)
		strs = append(append(strs, s...), 0)
		return uint64(at)
	}
	var dynamic []uint64
	for _, n := range needed {
		dynamic = append(dynamic, uint64(elf.DT_NEEDED), str(n))
	}
	if runPath != "" {
		dynamic = append(dynamic, uint64(elf.DT_RUNPATH), str(runPath))
	}
	dynamic = append(dynamic, uint64(elf.DT_NULL), 0)
	shstr := "\x00.dynstr\x00.dynamic\x00.shstrtab\x00"

	body := append([]byte(interpreter), 0)
	strAt := headers + len(body)
	body = append(body, strs...)
	dynAt := headers + len(body)
	body, _ = binary.Append(body, binary.LittleEndian, dynamic)
	shstrAt := headers + len(body)
	body = append(body, shstr...)
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64,
		Phoff: 64, Shoff: uint64(headers + len(body)), Shnum: sections, Shstrndx: 3,
	}
	copy(header.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	if interpreter != "" {
		header.Phnum = 1
	}
	var b bytes.Buffer
	for _, v := range []any{
		header,
		elf.Prog64{Type: uint32(elf.PT_INTERP), Off: headers, Filesz: uint64(len(interpreter) + 1)},
		body,
		elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: uint64(strAt), Size: uint64(len(strs))},
		elf.Section64{Name: 9, Type: uint32(elf.SHT_DYNAMIC), Off: uint64(dynAt), Size: uint64(len(dynamic) * 8), Link: 1, Entsize: 16},
		elf.Section64{Name: 18, Type: uint32(elf.SHT_STRTAB), Off: uint64(shstrAt), Size: uint64(len(shstr))},
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, name, b.String())
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

const testTriplet = "x86_64-linux-gnu"

// testPackages are a program, its library that needs another, and a libc, each in a package.
func testPackages(t *testing.T) []Package {
	dir := t.TempDir()
	pkg := func(name string) Package { return Package{Name: name, Root: filepath.Join(dir, name)} }
	lib := "usr/lib/" + testTriplet
	writeELF(t, filepath.Join(dir, "nft/usr/sbin/nft"), "/lib64/ld.so.2", "", "libnft.so.1", "libc.so.6")
	symlink(t, "nft", filepath.Join(dir, "nft/usr/sbin/nf-alias"))
	writeFile(t, filepath.Join(dir, "nft/usr/share/doc/nft/copyright"), "text")
	writeELF(t, filepath.Join(dir, "libnft", lib, "libnft.so.1.0"), "", "$ORIGIN/private", "libdeep.so.2", "libc.so.6")
	symlink(t, "libnft.so.1.0", filepath.Join(dir, "libnft", lib, "libnft.so.1"))
	writeELF(t, filepath.Join(dir, "libnft", lib, "private/libdeep.so.2"), "", "", "libc.so.6")
	writeELF(t, filepath.Join(dir, "libc6/lib", testTriplet, "libc.so.6"), "", "", "ld.so.2")
	writeELF(t, filepath.Join(dir, "libc6", lib, "ld.so.2"), "", "")
	symlink(t, "../lib/"+testTriplet+"/ld.so.2", filepath.Join(dir, "libc6/usr/lib64/ld.so.2"))
	return []Package{pkg("nft"), pkg("libnft"), pkg("libc6")}
}

func TestTakeFollowsLibraries(t *testing.T) {
	p, err := NewPicker(testTriplet, testPackages(t)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Take("nft", "/sbin/nf-*"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range p.Taken() {
		got = append(got, f.Path)
	}
	want := []string{
		"/usr/lib/x86_64-linux-gnu/ld.so.2", "/usr/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/lib/x86_64-linux-gnu/libnft.so.1", "/usr/lib/x86_64-linux-gnu/libnft.so.1.0",
		"/usr/lib/x86_64-linux-gnu/private/libdeep.so.2", "/usr/lib64/ld.so.2", "/usr/sbin/nf-alias", "/usr/sbin/nft",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("took\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTakeNamesWhatIsMissing(t *testing.T) {
	p, err := NewPicker(testTriplet, testPackages(t)[:1]...)
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string][]string{
		"/usr/sbin/nft": {"/usr/sbin/nft", "ld.so.2"},
		"/usr/sbin/ntf": {"package nft", "/usr/sbin/ntf"},
	} {
		err := p.Take("nft", pattern)
		if err == nil {
			t.Fatalf("%s: no error", pattern)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in %q", pattern, w, err)
			}
		}
	}
}

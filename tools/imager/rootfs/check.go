package rootfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// machines are the ELF machines of the architectures, by GOARCH.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM}

// Check finds programs and libraries that cannot run on the machine: of another architecture, or without the loader or a
// library that they link to. The error names all of them. What is below /usr/share is data, firmware of boards among it.
func (t *Tree) Check(arch, triplet string) error {
	var problems []error
	err := filepath.WalkDir(t.Dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && name == t.Host("/usr/share") {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		magic := make([]byte, len(elf.ELFMAG))
		if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
			return nil
		}
		if err := t.checkELF(f, machines[arch], triplet); err != nil {
			problems = append(problems, fmt.Errorf("/%s: %w", must(filepath.Rel(t.Dir, name)), err))
		}
		return nil
	})
	return errors.Join(append(problems, err)...)
}

// must is for filepath.Rel of a path below its base.
func must(name string, err error) string {
	if err != nil {
		panic(err)
	}
	return name
}

func (t *Tree) checkELF(f *os.File, machine elf.Machine, triplet string) error {
	object, err := elf.NewFile(f)
	if err != nil {
		return err
	}
	if object.Machine != machine {
		return fmt.Errorf("is for %v, not for %v", object.Machine, machine)
	}
	for _, p := range object.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return err
		}
		if loader := string(bytes.TrimRight(b, "\x00")); !t.has(loader) {
			return fmt.Errorf("its loader %s is not in the root", loader)
		}
	}
	libraries, err := object.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, library := range libraries {
		dirs := []string{"/usr/lib/" + triplet, "/usr/lib", "/usr/lib64"}
		if !slices.ContainsFunc(dirs, func(dir string) bool { return t.has(dir + "/" + library) }) {
			return fmt.Errorf("its library %s is not in the root", library)
		}
	}
	return nil
}

// has follows symlinks, which are relative where programs and libraries are.
func (t *Tree) has(name string) bool {
	_, err := os.Stat(t.Host(name))
	return err == nil
}

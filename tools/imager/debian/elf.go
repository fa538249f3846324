package debian

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"strings"
)

// links is what an ELF file needs at run time.
type links struct {
	interpreter string   // path of the dynamic loader; empty for a library or a static program
	needed      []string // names of shared libraries
	runPath     []string // folders to search first, $ORIGIN replaced
}

// readLinks reads the ELF file at name, which will be at target in the root. It returns nothing for other files.
func readLinks(name, target string) (links, error) {
	var l links
	magic := make([]byte, len(elf.ELFMAG))
	raw, err := os.Open(name)
	if err != nil {
		return l, err
	}
	defer raw.Close()
	if _, err := raw.ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
		return l, nil
	}
	f, err := elf.NewFile(raw)
	if err != nil {
		return l, fmt.Errorf("read ELF file %s: %w", name, err)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return l, fmt.Errorf("read the interpreter of %s: %w", name, err)
		}
		l.interpreter = string(bytes.TrimRight(b, "\x00"))
	}
	if l.needed, err = f.ImportedLibraries(); err != nil {
		return l, fmt.Errorf("read the libraries of %s: %w", name, err)
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		paths, err := f.DynString(tag)
		if err != nil {
			return l, fmt.Errorf("read the run path of %s: %w", name, err)
		}
		for _, dir := range strings.Split(strings.Join(paths, ":"), ":") {
			if dir != "" {
				origin := strings.NewReplacer("${ORIGIN}", path.Dir(target), "$ORIGIN", path.Dir(target))
				l.runPath = append(l.runPath, path.Clean(origin.Replace(dir)))
			}
		}
	}
	return l, nil
}

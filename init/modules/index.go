package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// index is what depmod(8) knows about the modules of one directory. It is read for a batch of
// modules and dropped again: PID 1 does not keep it in memory.
type index struct {
	path    map[string]string   // a module's file, below the directory
	needs   map[string][]string // the modules that must be in before it, in the order to load them
	pre     map[string][]string // modules or aliases it would like to be in before it
	post    map[string][]string // and after it
	builtin map[string]bool     // modules that are part of the kernel
}

func readIndex(fsys fs.FS) (index, error) {
	ix := index{
		path: make(map[string]string), needs: make(map[string][]string),
		pre: make(map[string][]string), post: make(map[string][]string),
		builtin: make(map[string]bool),
	}
	for _, file := range []struct {
		name     string
		line     func(string)
		required bool
	}{
		{"modules.dep", ix.addDependencies, true},
		{"modules.softdep", ix.addSoftDependencies, false},
		{"modules.builtin", ix.addBuiltin, false},
	} {
		b, err := fs.ReadFile(fsys, file.name)
		if errors.Is(err, fs.ErrNotExist) && !file.required {
			continue
		}
		if err != nil {
			return index{}, fmt.Errorf("the index of the kernel's modules (depmod makes it): %w", err)
		}
		for line := range strings.Lines(string(b)) {
			file.line(strings.TrimSpace(line))
		}
	}
	return ix, nil
}

// addDependencies reads a line of modules.dep, "FILE: FILE…", in which depmod lists all that a
// module needs, directly or not, and what must be loaded first comes last.
func (ix *index) addDependencies(line string) {
	file, rest, ok := strings.Cut(line, ":")
	if !ok || file == "" || strings.HasPrefix(file, "#") {
		return
	}
	name := moduleName(file)
	ix.path[name] = file
	files := strings.Fields(rest)
	if len(files) == 0 {
		return
	}
	needs := make([]string, len(files))
	for i, f := range files {
		needs[len(files)-1-i] = moduleName(f)
	}
	ix.needs[name] = needs
}

// addSoftDependencies reads a line of modules.softdep, "softdep MODULE pre: NAME… post: NAME…".
func (ix *index) addSoftDependencies(line string) {
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "softdep" {
		return
	}
	name := moduleName(words[1])
	var into map[string][]string
	for _, w := range words[2:] {
		switch {
		case w == "pre:":
			into = ix.pre
		case w == "post:":
			into = ix.post
		case into != nil:
			into[name] = append(into[name], w)
		}
	}
}

// addBuiltin reads a line of modules.builtin, the file that the module would be.
func (ix *index) addBuiltin(line string) {
	if line != "" && !strings.HasPrefix(line, "#") {
		ix.builtin[moduleName(line)] = true
	}
}

// knows reports whether name is a module's, rather than an alias.
func (ix *index) knows(name string) bool {
	_, ok := ix.path[moduleName(name)]
	return ok || ix.builtin[moduleName(name)]
}

// moduleName is the name by which the kernel knows the module in file.
func moduleName(file string) string {
	name := path.Base(file)
	if i := strings.Index(name, ".ko"); i > 0 {
		name = name[:i]
	}
	return strings.ReplaceAll(name, "-", "_")
}

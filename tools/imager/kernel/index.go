package kernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Index is what depmod found out about all modules of a kernel. Names are with _ in place of -.
type Index struct {
	paths   map[string]string   // module to its file, relative to the modules folder
	depends map[string][]string // module to all that have to be loaded before
	soft    map[string][]string // module to what it would like to have loaded too: modules or aliases
	aliases map[string][]string // alias to modules; only aliases without wildcards
	builtin map[string]bool     // modules that are part of the kernel
	answers map[string]bool     // aliases of those
}

// ReadIndex reads depmod's modules.dep, modules.softdep and modules.alias, and the kernel's own modules.builtin and
// modules.builtin.modinfo.
func ReadIndex(depmod, kernel fs.FS) (*Index, error) {
	x := &Index{
		paths: map[string]string{}, depends: map[string][]string{}, soft: map[string][]string{},
		aliases: map[string][]string{}, builtin: map[string]bool{}, answers: map[string]bool{},
	}
	for _, file := range []struct {
		name string
		in   fs.FS
		line func(string)
	}{
		{"modules.dep", depmod, x.dep},
		{"modules.softdep", depmod, x.softdep},
		{"modules.alias", depmod, x.alias},
		{"modules.builtin", kernel, func(line string) { x.builtin[moduleName(line)] = true }},
	} {
		if err := eachLine(file.in, file.name, file.line); err != nil {
			return nil, err
		}
	}
	return x, x.readBuiltinAliases(kernel)
}

// readBuiltinAliases reads modules.builtin.modinfo: MODULE.NAME=VALUE with a NUL after each.
func (x *Index) readBuiltinAliases(kernel fs.FS) error {
	text, err := fs.ReadFile(kernel, "modules.builtin.modinfo")
	if err != nil {
		return fmt.Errorf("read the module index: %w", err)
	}
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if _, alias, ok := strings.Cut(string(entry), ".alias="); ok {
			x.answers[underscore(alias)] = true
		}
	}
	return nil
}

// Provides is whether the kernel with these modules has what an alias without wildcards, such as crypto-sha256, stands for.
func (x *Index) Provides(alias string, modules []string) bool {
	alias = underscore(alias)
	return x.answers[alias] || slices.ContainsFunc(x.aliases[alias], func(m string) bool { return slices.Contains(modules, m) })
}

func eachLine(files fs.FS, name string, line func(string)) error {
	f, err := files.Open(name)
	if err != nil {
		return fmt.Errorf("read the module index: %w", err)
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20) // modules with a hundred dependencies exist
	for scanner.Scan() {
		if text := strings.TrimSpace(scanner.Text()); text != "" && text[0] != '#' {
			line(text)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the module index %s: %w", name, err)
	}
	return nil
}

// dep reads "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz …".
func (x *Index) dep(line string) {
	file, depends, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	name := moduleName(file)
	x.paths[name] = file
	for _, d := range strings.Fields(depends) {
		x.depends[name] = append(x.depends[name], moduleName(d))
	}
}

// softdep reads "softdep NAME pre: a b post: c"; words before pre: are as if after it.
func (x *Index) softdep(line string) {
	words := strings.Fields(line)
	if len(words) < 3 {
		return
	}
	for _, w := range words[2:] {
		if w != "pre:" && w != "post:" {
			x.soft[underscore(words[1])] = append(x.soft[underscore(words[1])], underscore(w))
		}
	}
}

// alias reads "alias PATTERN MODULE".
func (x *Index) alias(line string) {
	if words := strings.Fields(line); len(words) == 3 && !strings.ContainsAny(words[1], "*?[") {
		x.aliases[underscore(words[1])] = append(x.aliases[underscore(words[1])], underscore(words[2]))
	}
}

func underscore(name string) string { return strings.ReplaceAll(name, "-", "_") }

// moduleName is a module's name from its file's path.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return underscore(name)
}

// Closure lists the named modules and all that they need, by name. Those built into the kernel are left out. The error
// names all that the kernel does not have.
func (x *Index) Closure(names ...string) ([]string, error) {
	wanted := map[string]bool{}
	var problems []error
	for _, name := range names {
		switch name = underscore(name); {
		case x.paths[name] != "":
			x.want(name, wanted)
		case !x.builtin[name]:
			problems = append(problems, fmt.Errorf("the kernel has no module %s%s", name, x.suggest(name)))
		}
	}
	return slices.Sorted(maps.Keys(wanted)), errors.Join(problems...)
}

func (x *Index) want(name string, wanted map[string]bool) {
	if wanted[name] || x.paths[name] == "" {
		return
	}
	wanted[name] = true
	for _, d := range x.depends[name] {
		x.want(d, wanted)
	}
	for _, s := range x.soft[name] {
		x.want(s, wanted)
		for _, module := range x.aliases[s] {
			x.want(module, wanted)
		}
	}
}

func (x *Index) suggest(name string) string {
	if near := strict.Nearest(name, slices.Sorted(maps.Keys(x.paths))); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

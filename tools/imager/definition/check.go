package definition

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/configs/grub"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/config/strict"
)

// checker collects what is wrong beyond the syntax.
type checker struct {
	doc      *strict.Document // that is looked at
	problems strict.Problems
	paths    map[string]string // path in the root to the field that puts it there
}

func (c *checker) fail(field, format string, args ...any) {
	c.problems = append(c.problems, c.doc.Problem(field, format, args...))
}

// problems are those of all parts of d, the last of which is its own file.
func (d *Definition) problems(parts []part) strict.Problems {
	c := &checker{paths: map[string]string{}}
	for _, p := range parts {
		c.doc = p.doc
		c.part(&p.Definition, d.Go)
	}
	c.oneOf("arch", d.Arch, arch.Names())
	if d.Flavour != "" && !shortName.MatchString(d.Flavour) {
		c.fail("flavour", "%q should be of small letters and digits: it is part of the names of files", d.Flavour)
	}
	if !d.Disk.UEFI && len(d.Disk.Boards) != 1 {
		c.fail("disk.uefi", "is false, so disk.boards should name the one board that the image is for")
	}
	c.needed("kernel.package", d.Kernel.Package)
	c.needed("initramfs.init", d.Initramfs.Init)
	for field, sets := range map[string][]string{"initramfs": d.Kernel.Modules.Initramfs, "root": d.Kernel.Modules.Root} {
		if len(sets) == 0 {
			c.fail("kernel.modules."+field, "is needed: at least one set of arch/modules.yml")
		}
	}
	return c.problems
}

// part looks at one file of a definition. Its services may be any of programs.
func (c *checker) part(d *Definition, programs []Program) {
	for i, name := range d.Include {
		c.inside(fmt.Sprintf("include[%d]", i), name)
	}
	c.packageName("kernel.package", d.Kernel.Package)
	if s := d.Kernel.Suite; s != "" && !suiteName.MatchString(s) {
		c.fail("kernel.suite", "%q is not the name of a suite of Debian, such as trixie-backports", s)
	}
	for i, a := range d.Kernel.Arguments {
		if err := grub.CheckArgument(a); err != nil {
			c.fail(fmt.Sprintf("kernel.arguments[%d]", i), "%v", err)
		}
	}
	c.moduleSets("kernel.modules.initramfs", d.Kernel.Modules.Initramfs)
	c.moduleSets("kernel.modules.root", d.Kernel.Modules.Root)
	for i, name := range d.Firmware.Packages {
		c.packageName(fmt.Sprintf("firmware.packages[%d]", i), name)
	}
	for i, p := range d.Packages {
		c.debianPackage(fmt.Sprintf("packages[%d]", i), p)
	}
	for i, p := range d.Go {
		field := fmt.Sprintf("go[%d]", i)
		c.rootPath(field+".path", p.Path)
		c.needed(field+".package", p.Package)
	}
	for i, container := range d.Containers {
		field := fmt.Sprintf("containers[%d]", i)
		if container.Path != "" {
			c.rootPath(field+".path", container.Path)
		}
		c.needed(field+".definition", container.Definition)
		c.inside(field+".definition", container.Definition)
	}
	c.trust(d.Trust)
	if v := d.MinimumVersion; v != "" && !artifact.IsVersion(v) {
		c.fail("minimumVersion", "%q is not a semantic version such as 1.2.3", v)
	}
	for i, f := range d.Files {
		c.file(fmt.Sprintf("files[%d]", i), f)
	}
	for i, s := range d.Services {
		field := fmt.Sprintf("services[%d]", i)
		c.needed(field+".name", s.Name)
		if !slices.ContainsFunc(programs, func(p Program) bool { return p.Path == s.Program }) {
			c.fail(field+".program", "%q is not the path of a program in the section go", s.Program)
		}
	}
	c.root(d.Root)
	if d.Disk.Slot%(1<<20) != 0 {
		c.fail("disk.slot", "is %s, should be a multiple of 1MiB", d.Disk.Slot)
	}
}

// shortName is what parts of the names of files are.
var shortName = regexp.MustCompile(`^[a-z0-9]+$`)

// suiteName keeps a suite's name one word of apt's sources, and one folder.
var suiteName = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

// keyName keeps names on their line of the file with the trusted keys.
var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._@-]*$`)

func (c *checker) trust(list []Trusted) {
	for i, t := range list {
		field := fmt.Sprintf("trust[%d]", i)
		c.needed(field+".name", t.Name)
		if t.Name != "" && !keyName.MatchString(t.Name) {
			c.fail(field+".name", "%q should be of letters, digits and . _ - @ or blanks", t.Name)
		}
		if t.Key.IsZero() {
			c.fail(field+".key", "is missing; write ed25519: and the public key in base64")
			continue
		}
		if before := slices.IndexFunc(list[:i], func(o Trusted) bool { return o.Key == t.Key }); before >= 0 {
			c.fail(field+".key", "is that of trust[%d] already", before)
		}
	}
}

func (c *checker) needed(field, value string) {
	if value == "" {
		c.fail(field, "is needed")
	}
}

func (c *checker) oneOf(field, value string, allowed []string) {
	if slices.Contains(allowed, value) {
		return
	}
	if value == "" {
		c.fail(field, "is needed: one of %s", strings.Join(allowed, ", "))
		return
	}
	c.fail(field, "is %q, should be one of %s%s", value, strings.Join(allowed, ", "), didYouMean(value, allowed))
}

func didYouMean(value string, names []string) string {
	if near := strict.Nearest(value, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func (c *checker) moduleSets(field string, names []string) {
	known := slices.Sorted(maps.Keys(arch.Modules))
	for i, name := range names {
		if _, ok := arch.Modules[name]; !ok {
			c.fail(fmt.Sprintf("%s[%d]", field, i), "%q is not a set of arch/modules.yml%s", name, didYouMean(name, known))
		}
	}
}

// debianName is Debian policy 5.6.1. What begins with - would be an option to apt.
var debianName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// IsPackageName reports whether a Debian package may be called so.
func IsPackageName(name string) bool { return debianName.MatchString(name) }

func (c *checker) packageName(field, name string) {
	if name != "" && !IsPackageName(name) {
		c.fail(field, "%q is not the name of a Debian package", name)
	}
}

func (c *checker) debianPackage(field string, p Package) {
	c.needed(field+".name", p.Name)
	c.packageName(field+".name", p.Name)
	for i, name := range p.Files {
		f := fmt.Sprintf("%s.files[%d]", field, i)
		if _, err := path.Match(name, "/"); err != nil {
			c.fail(f, "%q is not a valid pattern", name)
		}
		c.rootPath(f, name)
	}
	if len(p.Files) == 0 {
		c.fail(field+".files", "is needed: which files to take")
	}
}

// rootPath checks a path in the root: absolute, clean, in /usr or /etc or another real folder, and put there once.
func (c *checker) rootPath(field, name string) {
	switch {
	case name == "":
		c.fail(field, "is needed")
	case !path.IsAbs(name) || path.Clean(name) != name || name == "/":
		c.fail(field, "%q is not a clean absolute path", name)
	case slices.Contains([]string{"bin", "sbin", "lib", "lib64"}, strings.SplitN(name, "/", 3)[1]):
		c.fail(field, "%q is below a symlink of the merged /usr; write /usr%s", name, name)
	case c.paths[name] != "":
		c.fail(field, "%s is already put there by %s", name, c.paths[name])
	default:
		c.paths[name] = field
	}
}

// inside checks a path of the repository.
func (c *checker) inside(field, name string) {
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(path.Clean(name), "../") {
		c.fail(field, "%q is not a path inside the repository", name)
	}
}

func (c *checker) file(field string, f File) {
	c.rootPath(field+".path", f.Path)
	var set []string
	for _, kind := range []string{"content", "source", "concatenate", "symlink", "folder"} {
		if c.doc.Has(field + "." + kind) {
			set = append(set, kind)
		}
	}
	if len(set) != 1 {
		found := "none is there"
		if len(set) > 1 {
			found = strings.Join(set, " and ") + " are there"
		}
		c.fail(field, "needs exactly one of content, source, concatenate, symlink and folder; %s", found)
	}
	if f.Source != "" {
		c.inside(field+".source", f.Source)
	}
	if f.Concatenate != "" {
		pkg, glob, _ := strings.Cut(f.Concatenate, ":")
		if _, err := path.Match(glob, "/"); err != nil || !path.IsAbs(glob) || !debianName.MatchString(pkg) {
			c.fail(field+".concatenate", "%q is not PACKAGE:/PATTERN", f.Concatenate)
		}
	}
	if f.Symlink != "" && f.Mode != 0 {
		c.fail(field+".mode", "a symlink has no mode")
	}
}

func (c *checker) root(r Root) {
	if r.Block&(r.Block-1) != 0 || r.Block < 4<<10 || r.Block > 1<<20 {
		c.fail("root.block", "is %s, should be a power of two from 4KiB to 1MiB", r.Block)
	}
	highest := map[string]int{"zstd": 22, "lz4hc": 12, "xz": 0}[r.Compression]
	if r.Level < 0 || r.Level > highest {
		c.fail("root.level", "is %d, should be from 0 to %d for %s", r.Level, highest, r.Compression)
	}
	if r.Format == "squashfs" && r.Compression == "lz4hc" && r.Level != 0 {
		c.fail("root.level", "squashfs has no levels for lz4hc")
	}
	if r.Format == "erofs" && r.Compression == "xz" {
		c.fail("root.compression", "erofs has no xz; use zstd or lz4hc")
	}
}

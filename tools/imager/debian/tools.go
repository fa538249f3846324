package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Tools are programs of the suite that run on the build host from their unpacked packages, with their own loader and
// libraries. So neither the host's versions of them nor its libc matter, and nothing is installed.
type Tools struct {
	packages  []Package
	dirs      map[string]string // package to its unpacked root
	programs  map[string]string // program name to its path
	loader    string
	libraries string // for --library-path
	gconv     string
}

// loaders has the path of the dynamic loader in libc6, by Debian architecture.
var loaders = map[string]string{
	"amd64": "usr/lib64/ld-linux-x86-64.so.2",
	"arm64": "usr/lib/ld-linux-aarch64.so.1",
	"armhf": "usr/lib/ld-linux-armhf.so.3",
}

// Tools fetches the packages and all that they depend on. The archive's architecture must be one that the
// build host executes.
func (a *Archive) Tools(ctx context.Context, packages ...string) (*Tools, error) {
	closure, err := a.Closure(ctx, packages...)
	if err != nil {
		return nil, fmt.Errorf("build tools: %w", err)
	}
	t := &Tools{packages: closure, dirs: map[string]string{}, programs: map[string]string{}}
	var libraries []string
	for _, p := range closure {
		t.dirs[p.Name] = p.Root
		for _, pattern := range []string{"usr/lib/*-linux-gnu*", "usr/lib", "lib/*-linux-gnu*"} {
			dirs, err := filepath.Glob(filepath.Join(p.Root, pattern))
			if err != nil {
				return nil, err
			}
			libraries = append(libraries, dirs...)
		}
		for _, bin := range []string{"usr/bin", "usr/sbin", "bin", "sbin"} {
			if err := t.addPrograms(filepath.Join(p.Root, bin)); err != nil {
				return nil, err
			}
		}
	}
	t.libraries = strings.Join(libraries, ":")
	libc := t.dirs["libc6"]
	if libc == "" {
		return nil, fmt.Errorf("build tools: none of %s depends on libc6", strings.Join(packages, ", "))
	}
	t.loader = filepath.Join(libc, loaders[a.Arch])
	if gconv, _ := filepath.Glob(filepath.Join(libc, "usr/lib/*/gconv")); len(gconv) > 0 {
		t.gconv = gconv[0]
	}
	return t, nil
}

// Add makes the files of packages known, whose programs do not run on the build host.
func (t *Tools) Add(packages ...Package) {
	for _, p := range packages {
		t.packages = append(t.packages, p)
		t.dirs[p.Name] = p.Root
	}
	slices.SortFunc(t.packages, func(p, q Package) int { return strings.Compare(p.Name, q.Name) })
}

func (t *Tools) addPrograms(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := t.programs[e.Name()]; !ok {
			t.programs[e.Name()] = filepath.Join(dir, e.Name())
		}
	}
	return nil
}

// Command prepares a run of the named program, such as grub-mkimage or mksquashfs. Only ELF programs run, not scripts.
// When no package of the tools has it, running the command fails and says so.
func (t *Tools) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	program, ok := t.programs[name]
	if !ok {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Err = fmt.Errorf("program %s is in none of the tool packages", name)
		return cmd
	}
	// The loader opens program, but the program must see its own name: kmod decides by it what to be.
	loaded := append([]string{"--library-path", t.libraries, "--argv0", name, program}, args...)
	cmd := exec.CommandContext(ctx, t.loader, loaded...)
	cmd.Env = append(withoutDate(os.Environ()), "LC_ALL=C", "GCONV_PATH="+t.gconv)
	return cmd
}

// withoutDate leaves SOURCE_DATE_EPOCH out: whoever runs a tool says which date it shall use, and mksquashfs refuses both.
func withoutDate(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "SOURCE_DATE_EPOCH=") })
}

// Dir is the root of the unpacked package, such as grub-pc-bin. It panics for a package that is not among the tools:
// their list is in the same program.
func (t *Tools) Dir(pkg string) string {
	dir, ok := t.dirs[pkg]
	if !ok {
		panic("debian: package " + pkg + " is not among the build tools")
	}
	return dir
}

// Packages are the packages of the tools and all that those depend on, by name.
func (t *Tools) Packages() []Package { return t.packages }

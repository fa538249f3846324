package kernel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/coracle-os/coracle/tools/imager/command"
)

// Depmod is a trixie depmod, such as debian.Tools.Command makes.
type Depmod func(ctx context.Context, name string, args ...string) *exec.Cmd

// kept are the index files that init reads; depmod writes binary forms of them and more.
var kept = map[string]bool{"modules.dep": true, "modules.alias": true, "modules.softdep": true, "modules.builtin": true}

// Index runs depmod over all of the kernel's modules, with scratch for its results, unless they are there.
func (k Kernel) Index(ctx context.Context, depmod Depmod, scratch string) (*Index, error) {
	dir := filepath.Join(scratch, "lib/modules", k.Release)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := runDepmod(ctx, depmod, "-b", filepath.Join(k.Root, "usr"), "-o", scratch, k.Release); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644); err != nil {
			return nil, err
		}
	}
	return ReadIndex(os.DirFS(dir), os.DirFS(k.modulesDir(k.Root)))
}

// Install copies modules into root, whose lib must be a symlink to usr/lib, and writes their index there. They are unpacked: the
// root and the initramfs are compressed as a whole, with zstd, which takes less work to unpack than the kernel's xz.
func (k Kernel) Install(ctx context.Context, depmod Depmod, x *Index, modules []string, root string) error {
	from, to := k.modulesDir(k.Root), k.modulesDir(root)
	for _, m := range modules {
		if err := copyModule(filepath.Join(from, x.paths[m]), filepath.Join(to, strings.TrimSuffix(x.paths[m], ".xz"))); err != nil {
			return fmt.Errorf("copy module %s: %w", m, err)
		}
	}
	// depmod orders what it writes by modules.order.
	for _, name := range []string{"modules.order", "modules.builtin", "modules.builtin.modinfo"} {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	if err := runDepmod(ctx, depmod, "-b", root, k.Release); err != nil {
		return err
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() && !kept[e.Name()] {
			if err := os.Remove(filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func runDepmod(ctx context.Context, depmod Depmod, args ...string) error {
	_, err := command.Output(depmod(ctx, "depmod", args...))
	return err
}

// copyModule copies a module and unpacks it.
func copyModule(from, to string) error {
	in, err := openModule(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return write(in, to)
}

// module is one that may have been compressed with xz.
type module struct {
	io.Reader
	io.Closer
}

// openModule opens a module for what is in it, unpacked.
func openModule(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	m := module{bufio.NewReader(f), f}
	if strings.HasSuffix(name, ".xz") {
		if m.Reader, err = xz.NewReader(m.Reader); err != nil {
			f.Close()
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
	}
	return m, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return write(in, to)
}

func write(in io.Reader, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

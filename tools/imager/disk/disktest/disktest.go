// Package disktest gives tests the build tools of disk images.
package disktest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/kernel"
)

// Tools are the programs of [disk.Packages] and of more, and the boot loaders of amd64, from the cache that a build of an image
// leaves; what is not in it is fetched. Without a cache the test is skipped. CORACLE_CACHE names a cache elsewhere than in _out.
func Tools(t testing.TB, more ...string) *debian.Tools {
	t.Helper()
	archive := open(t, "amd64")
	defer archive.Close()
	tools, err := archive.Tools(t.Context(), append(more, disk.Packages...)...)
	if err != nil {
		t.Fatal(err)
	}
	loaders, err := archive.Packages(t.Context(), disk.BootPackages("amd64")...)
	if err != nil {
		t.Fatal(err)
	}
	tools.Add(loaders...)
	return tools
}

// Packages are the unpacked Debian packages that name depends on, itself included, by the same rules.
func Packages(t testing.TB, name string) []debian.Package {
	t.Helper()
	archive := open(t, "amd64")
	defer archive.Close()
	packages, err := archive.Closure(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// Fetch are the unpacked Debian packages of that architecture, without what they depend on, by the same rules.
func Fetch(t testing.TB, a arch.Architecture, names ...string) []debian.Package {
	t.Helper()
	archive := open(t, a.Name)
	defer archive.Close()
	packages, err := archive.Packages(t.Context(), names...)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// Kernel is the kernel of that architecture that the metapackage stands for, by the same rules; of another suite than all else, if one is
// named.
func Kernel(t testing.TB, a arch.Architecture, metapackage, suite string) kernel.Kernel {
	t.Helper()
	archive := open(t, a.Name)
	defer archive.Close()
	if suite != "" {
		var err error
		if archive, err = archive.OtherSuite(t.Context(), suite); err != nil {
			t.Fatal(err)
		}
	}
	k, err := kernel.Fetch(t.Context(), archive, metapackage)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open locks the cache until the archive is closed; what was unpacked stays usable.
func open(t testing.TB, architecture string) *debian.Archive {
	t.Helper()
	cache := os.Getenv("CORACLE_CACHE")
	if cache == "" {
		cache = filepath.Join(moduleRoot(t), "_out", "cache")
		if _, err := os.Stat(filepath.Join(cache, "apt")); err != nil {
			t.Skip("needs build tools of Debian: `make image` fetches them")
		}
	}
	archive, err := debian.Open(t.Context(), debian.Options{
		Suite: "trixie", Components: []string{"main", "non-free-firmware"}, Arch: architecture, Cache: cache,
		Warn: func(what string, err error) { t.Logf("%s: %v", what, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

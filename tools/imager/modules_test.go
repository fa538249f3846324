package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
	"github.com/coracle-os/coracle/tools/imager/kernel"
)

// small is a kernel with what verity-root wants, SHA-256 in itself, and BLAKE2b as a module.
func small(t *testing.T) *kernel.Index {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"modules.dep": "kernel/dm-mod.ko:\nkernel/dm-verity.ko: kernel/dm-mod.ko\nkernel/loop.ko:\nkernel/squashfs.ko:\n" +
			"kernel/blake2b_generic.ko:\nkernel/softdog.ko:\n",
		"modules.softdep": "", "modules.alias": "alias crypto-blake2b-256 blake2b_generic\n",
		"modules.builtin": "kernel/crypto/sha256.ko\nkernel/crypto/crc32c_generic.ko\n", "modules.builtin.modinfo": "sha256.alias=crypto-sha256\x00",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	index, err := kernel.ReadIndex(files, files)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestModulesOf(t *testing.T) {
	for name, tc := range map[string]struct {
		initramfs, root []string
		hash            string
		want            string // of the initramfs
		problem         string
	}{
		"BLAKE2b as a module":  {[]string{"verity-root", "verity-root-blake2b"}, []string{"watchdogs"}, "blake2b-256", "blake2b_generic dm_mod dm_verity loop squashfs", ""},
		"SHA-256 built in":     {[]string{"verity-root"}, []string{"watchdogs"}, "sha256", "dm_mod dm_verity loop squashfs", ""},
		"BLAKE2b forgotten":    {[]string{"verity-root"}, []string{"watchdogs"}, "blake2b-256", "", "root.hash is blake2b-256"},
		"a module that is not": {[]string{"verity-root"}, []string{"leds"}, "sha256", "", "no module leds_gpio"},
	} {
		t.Run(name, func(t *testing.T) {
			d := definition.Definition{Root: definition.Root{Hash: tc.hash, Format: "squashfs"}, Kernel: definition.Kernel{Modules: definition.Modules{Initramfs: tc.initramfs, Root: tc.root}}}
			m, err := modulesOf(small(t), &d)
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("error %v, want one with %q", err, tc.problem)
				}
				return
			}
			if got := strings.Join(m.initramfs, " "); err != nil || got != tc.want {
				t.Errorf("%s, %v; want %s", got, err, tc.want)
			}
			if !slices.Contains(m.root, "softdog") || !slices.Contains(m.root, "dm_verity") {
				t.Errorf("in the root: %q", m.root)
			}
		})
	}
}

// Debian's kernels have the modules that the repository's definitions name.
func TestDebianHasModules(t *testing.T) {
	if os.Getenv("CORACLE_TEST_ALL") == "" {
		t.Skip("fetches the kernels of all images: CORACLE_TEST_ALL=1")
	}
	tools := disktest.Tools(t, "kmod")
	files, err := filepath.Glob("../../images/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "common.yml" { // a part of the others
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			d, err := definition.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			a, err := arch.Named(d.Arch)
			if err != nil {
				t.Fatal(err)
			}
			k := disktest.Kernel(t, a, d.Kernel.Package, d.Kernel.Suite)
			index, err := k.Index(t.Context(), tools.Command, k.Root+".modules")
			if err != nil {
				t.Fatal(err)
			}
			m, err := modulesOf(index, d)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("Linux %s: %d modules in the initramfs, %d in the root", k.Release, len(m.initramfs), len(m.root))
		})
	}
}

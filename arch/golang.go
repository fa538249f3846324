package arch

import (
	"path/filepath"
	"strings"
)

// Tags are the build tags of every Go program in an image. The Makefile has the same ones for tests and tools: with
// different tags everything would be compiled twice.
var Tags = []string{"osusergo", "netgo", "no_btrfs", "no_devmapper", "no_zfs", "no_aufs", "providerless"}

// compilerFlags are the compiler's for every package, the Makefile's too. Programs have no DWARF in an image; not to make it saves a tenth of
// the compiler's time.
const compilerFlags = "-gcflags=all=-dwarf=false"

// GoEnv is the environment that a Go program for a is built in, without cgo.
func (a Architecture) GoEnv() []string {
	// The settings of the person who builds must not change what is built. Where one is empty, `go env -w` counts, so
	// these have the values that Go takes without any; where that is none, a comma or a blank: a list of nothing.
	return append([]string{"GOOS=linux", "GOARCH=" + a.GOARCH, "GOFLAGS=-trimpath", "GOFIPS140=off", "GOEXPERIMENT=,", "CGO_ENABLED=0"}, a.Go...)
}

// CgoEnv is the environment that a Go program with C code is built in: with the host's compiler for a, and the headers and
// libraries in the folder sysroot, laid out as Debian does, instead of the host's.
func (a Architecture) CgoEnv(sysroot string) []string {
	libraries := filepath.Join(sysroot, "usr/lib", a.Triplet)
	// A cross compiler of Debian's looks into folders of its own first, unless it is told others.
	cc := []string{
		a.Triplet + "-gcc", quote("--sysroot=" + sysroot),
		"-isystem", quote(filepath.Join(sysroot, "usr/include", a.Triplet)), "-isystem", quote(filepath.Join(sysroot, "usr/include")),
		quote("-B" + libraries), quote("-L" + libraries),
	}
	return append(a.GoEnv(), "CGO_ENABLED=1", "CGO_CFLAGS=-O2 -g", "CGO_CPPFLAGS= ", "CGO_LDFLAGS=-O2 -g", "CC="+strings.Join(cc, " "),
		"PKG_CONFIG_SYSROOT_DIR="+sysroot, "PKG_CONFIG_PATH=",
		"PKG_CONFIG_LIBDIR="+filepath.Join(libraries, "pkgconfig")+":"+filepath.Join(sysroot, "usr/share/pkgconfig"))
}

// quote makes one word of CC's, for the go command.
func quote(word string) string {
	if strings.ContainsAny(word, " \t") {
		return `"` + word + `"`
	}
	return word
}

// GoArgs are the arguments of `go build` for every program in an image. Version stamps are for Kubernetes, which calls
// itself v0.0.0-master without them.
func GoArgs(kubernetes string, tags []string, static bool) []string {
	ldflags := []string{"-s", "-w"}
	major, minor := majorMinor(kubernetes)
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		ldflags = append(ldflags, "-X", pkg+".gitVersion="+kubernetes, "-X", pkg+".gitMajor="+major, "-X", pkg+".gitMinor="+minor)
	}
	if static {
		// The build ID would be of the path of the C libraries too.
		ldflags = append(ldflags, "-buildid=", "-extldflags", "-static")
	}
	return []string{
		"-trimpath", "-buildvcs=false", compilerFlags, "-tags=" + strings.Join(append(tags, Tags...), ","),
		"-ldflags=" + strings.Join(ldflags, " "),
	}
}

// majorMinor splits v1.37.2 into 1 and 37.
func majorMinor(version string) (major, minor string) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return parts[0], ""
	}
	return parts[0], parts[1]
}

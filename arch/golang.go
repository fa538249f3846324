package arch

import "strings"

// Tags are the build tags of every Go program in an image. The Makefile has the same ones for tests and tools: with
// different tags everything would be compiled twice.
var Tags = []string{"osusergo", "netgo", "no_btrfs", "no_devmapper", "no_zfs", "no_aufs", "providerless"}

// GoEnv is the environment that a Go program for a is built in, without cgo unless asked for.
func (a Architecture) GoEnv(cgo bool) []string {
	// The settings of the person who builds must not change what is built. Where one is empty, `go env -w` counts, so
	// these have the values that Go takes without any; where that is none, a comma or a blank: a list of nothing.
	env := append([]string{"GOOS=linux", "GOARCH=" + a.Name, "GOFLAGS=-trimpath", "GOFIPS140=off", "GOEXPERIMENT=,", "CGO_ENABLED=0"}, a.Go...)
	if cgo {
		env = append(env, "CGO_ENABLED=1", "CGO_CFLAGS=-O2 -g", "CGO_CPPFLAGS= ", "CGO_LDFLAGS=-O2 -g")
	}
	return env
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
		ldflags = append(ldflags, "-extldflags", "-static")
	}
	return []string{
		"-trimpath", "-buildvcs=false", "-tags=" + strings.Join(append(tags, Tags...), ","),
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

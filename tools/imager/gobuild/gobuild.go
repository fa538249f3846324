// Package gobuild builds the Go programs of an image, and finds out what is being built: the version, its date and
// Kubernetes' version.
package gobuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/command"
	"github.com/coracle-os/coracle/tools/imager/definition"
)

// Source is the repository that is built.
type Source struct {
	Dir        string    // of go.mod
	Version    string    // Coracle's, semver without a leading v
	Time       time.Time // of the commit, or SOURCE_DATE_EPOCH
	Kubernetes string    // such as v1.37.2
	Go         string    // such as go1.26.8
}

// unreleased is the version of sources that no tag of git names.
const unreleased = "0.1.0-dev"

// Inspect finds out about the repository at dir.
func Inspect(ctx context.Context, dir string) (Source, error) {
	s := Source{Dir: dir}
	// An unpacked source archive has no history. A checkout that git refuses to read, because it is another user's for
	// example, is something else: its version would be wrong.
	_, err := os.Stat(filepath.Join(dir, ".git"))
	archive := errors.Is(err, fs.ErrNotExist)
	describe := ""
	if !archive {
		if describe, err = git(ctx, dir, "describe", "--always", "--dirty", "--abbrev=12"); err != nil {
			return s, fmt.Errorf("find the version of the sources: %w", err)
		}
	}
	s.Version = version(describe)
	if s.Time, err = sourceTime(ctx, dir, archive); err != nil {
		return s, err
	}
	if s.Kubernetes, err = s.golang(ctx, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"); err != nil {
		return s, fmt.Errorf("find the version of Kubernetes: %w", err)
	}
	if s.Go, err = s.golang(ctx, "env", "GOVERSION"); err != nil {
		return s, err
	}
	return s, nil
}

// version makes a semantic version of what git describe says: a tag, a tag with commits after it, or a commit.
func version(describe string) string {
	if tagged, ok := strings.CutPrefix(describe, "v"); ok && strings.Contains(tagged, ".") {
		return tagged
	}
	if describe == "" {
		return unreleased
	}
	return unreleased + "+" + strings.ReplaceAll(describe, "-", ".")
}

// sourceTime is SOURCE_DATE_EPOCH (reproducible-builds.org), else the time of the commit, else of go.mod.
func sourceTime(ctx context.Context, dir string, archive bool) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" && archive {
		info, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err != nil {
			return time.Time{}, err
		}
		return info.ModTime().Truncate(time.Second).UTC(), nil
	}
	if text == "" {
		var err error
		if text, err = git(ctx, dir, "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, fmt.Errorf("find the date of the sources: %w", err)
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the date of the sources is %q, should be Unix seconds: check SOURCE_DATE_EPOCH", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := command.Output(cmd)
	return strings.TrimSpace(out), err
}

func (s Source) golang(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly")
	out, err := command.Output(cmd)
	return strings.TrimSpace(out), err
}

// Build builds program p for architecture a into the file out. One with C code is built with the headers and libraries in the
// folder sysroot.
func (s Source) Build(ctx context.Context, a arch.Architecture, p definition.Program, sysroot, out string) error {
	cgo, env := len(p.CGO) > 0, a.GoEnv()
	if cgo {
		env = a.CgoEnv(sysroot)
		// Go would keep a program that it linked before, though the C libraries may be newer by now.
		if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	args := append([]string{"build"}, arch.GoArgs(s.Kubernetes, p.Tags, cgo)...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", out, p.Package)...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), env...)
	if _, err := command.Output(cmd); err != nil {
		return fmt.Errorf("build %s from %s: %w", p.Path, p.Package, err)
	}
	return nil
}

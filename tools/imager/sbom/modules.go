package sbom

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/module"
)

// moduleReader reads which modules are linked into programs, and their licences out of Go's module cache.
type moduleReader struct {
	repository string // of the main module
	version    string // of the main module
	cache      string // GOMODCACHE
	goroot     string
	known      map[string]component // by path@version
}

// program reads a Go program's build information.
func (r *moduleReader) program(p Program) (component, []component, error) {
	info, err := buildinfo.ReadFile(p.File)
	if err != nil {
		return component{}, nil, fmt.Errorf("%s: read Go build information: %w", p.Path, err)
	}
	sum, err := fileSHA256(p.File)
	if err != nil {
		return component{}, nil, err
	}
	c := component{
		kind: program, name: p.Path, version: r.mainVersion(info.Main), file: p.Path, sha256: sum,
		source: "Go package " + info.Path, declared: noAssertion,
	}
	linked := []component{}
	for _, m := range append([]*debug.Module{&info.Main, {Path: "std", Version: info.GoVersion}}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		l, err := r.module(*m)
		if err != nil {
			return c, nil, fmt.Errorf("%s: %w", p.Path, err)
		}
		if m.Path == info.Main.Path {
			c.declared = l.declared
		}
		linked = append(linked, l)
	}
	return c, linked, nil
}

// local is whether m is the module that is being built, and has no version of its own.
func local(m debug.Module) bool { return m.Version == "" || m.Version == "(devel)" }

func (r *moduleReader) mainVersion(m debug.Module) string {
	if local(m) {
		return r.version
	}
	return m.Version
}

func (r *moduleReader) module(m debug.Module) (component, error) {
	key := m.Path + "@" + m.Version
	if c, ok := r.known[key]; ok {
		return c, nil
	}
	c := component{kind: goModule, name: m.Path, version: r.mainVersion(m), purl: "pkg:golang/" + m.Path + "@" + r.mainVersion(m)}
	dir, err := r.dir(m)
	if err != nil {
		return c, err
	}
	switch {
	case local(m): // the tree has caches and outputs in it: its licence is the file at the root
		c.texts, err = readTexts(dir, false)
	case m.Path == "std":
		c.name, c.purl = "std", "pkg:golang/std@"+strings.TrimPrefix(m.Version, "go")
		c.texts, err = readTexts(dir, false)
	default:
		c.source = "h1 checksum of the module " + m.Sum
		c.texts, err = readTexts(dir, true)
	}
	if err != nil {
		return c, err
	}
	c.declared, c.comment = declared(c.texts)
	r.known[key] = c
	return c, nil
}

// dir is where a module's files are.
func (r *moduleReader) dir(m debug.Module) (string, error) {
	if local(m) {
		return r.repository, nil
	}
	if r.cache == "" {
		out, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("find Go's module cache: %w", err)
		}
		lines := strings.Fields(string(out))
		if len(lines) != 2 {
			return "", fmt.Errorf("go env GOMODCACHE GOROOT says %q", out)
		}
		r.cache, r.goroot = lines[0], lines[1]
	}
	if m.Path == "std" {
		return r.goroot, nil
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(r.cache, filepath.FromSlash(path)+"@"+version)
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("the licence of module %s@%s: %w (go mod download fetches it)", m.Path, m.Version, err)
	}
	return dir, nil
}

func fileSHA256(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/command"
)

// Package is one version of a binary package, unpacked.
type Package struct {
	Name          string
	Version       string
	Arch          string
	Source        string // source package, whose copyright file covers it
	SourceVersion string
	SHA256        string // hex, of the .deb; from the signed index
	Depends       string
	Root          string // folder with the package's files
	Distribution  string // debian; a package of the build host may be another's, such as ubuntu
}

// Packages downloads and unpacks the newest version of each named package, without what they depend on.
func (a *Archive) Packages(ctx context.Context, names ...string) ([]Package, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := a.run(ctx, "", "apt-cache", append([]string{"policy"}, names...)...)
	if err != nil {
		return nil, err
	}
	candidates := parsePolicy(out)
	specs := make([]string, len(names))
	for i, name := range names {
		if candidates[name] == "" {
			return nil, fmt.Errorf("package %s is not in Debian %s for %s (components %s)",
				name, a.Suite, a.Arch, strings.Join(a.Components, ", "))
		}
		specs[i] = name + "=" + candidates[name]
	}
	return a.get(ctx, specs)
}

// Closure downloads and unpacks the named packages and all that they depend on, recommended ones left out.
func (a *Archive) Closure(ctx context.Context, names ...string) ([]Package, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := a.run(ctx, "", "apt-get", append([]string{"install", "-qq", "--simulate"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("find the dependencies of %s: %w", strings.Join(names, ", "), err)
	}
	return a.get(ctx, parseSimulation(out))
}

// Used is every package that was asked for so far, by name.
func (a *Archive) Used() []Package {
	var all []Package
	for _, name := range slices.Sorted(maps.Keys(a.used)) {
		all = append(all, a.used[name])
	}
	return all
}

// parsePolicy reads `apt-cache policy`: package name to candidate version.
func parsePolicy(text string) map[string]string {
	candidates := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
			continue
		}
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			candidates[name] = v
		}
	}
	return candidates
}

// parseSimulation reads `apt-get install --simulate`, whose lines are `Inst NAME (VERSION …)`, as NAME=VERSION.
func parseSimulation(text string) []string {
	var specs []string
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " (")
		words := strings.Fields(before)
		if !ok || len(words) < 2 || words[0] != "Inst" {
			continue
		}
		name, _, _ := strings.Cut(words[1], ":")
		version, _, _ := strings.Cut(after, " ")
		specs = append(specs, name+"="+version)
	}
	slices.Sort(specs)
	return specs
}

// get downloads and unpacks packages given as NAME=VERSION.
func (a *Archive) get(ctx context.Context, specs []string) ([]Package, error) {
	out, err := a.run(ctx, "", "apt-cache", append([]string{"show"}, specs...)...)
	if err != nil {
		return nil, err
	}
	index := map[string]Package{}
	for _, s := range stanzas(out) {
		p := parsePackage(s)
		index[p.Name+"="+p.Version] = p
	}
	var all []Package
	var missing []string
	for _, spec := range specs {
		p, ok := index[spec]
		if !ok || p.SHA256 == "" {
			return nil, fmt.Errorf("apt has no SHA-256 for %s", spec)
		}
		p.Root = filepath.Join(a.Cache, "packages", p.Name+"_"+fileVersion(p.Version)+"_"+p.Arch)
		if ok, err := hasSum(p.Root+".deb", p.SHA256); err != nil {
			return nil, err
		} else if !ok {
			// apt-get keeps a file of the right size, whatever is in it.
			if err := os.Remove(p.Root + ".deb"); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			missing = append(missing, spec)
		}
		all = append(all, p)
	}
	if err := a.download(ctx, missing); err != nil {
		return nil, err
	}
	for _, p := range all {
		if ok, err := hasSum(p.Root+".deb", p.SHA256); err != nil {
			return nil, err
		} else if !ok {
			return nil, fmt.Errorf("%s.deb is not there after the download, or its SHA-256 is not %s", p.Root, p.SHA256)
		}
		if err := unpack(ctx, p); err != nil {
			return nil, err
		}
		a.used[p.Name] = p
	}
	return all, nil
}

// parsePackage reads one stanza of `apt-cache show`.
func parsePackage(s map[string]string) Package {
	p := Package{
		Name: s["package"], Version: s["version"], Arch: s["architecture"], SHA256: s["sha256"], Depends: s["depends"],
		Source: s["package"], SourceVersion: s["version"], Distribution: "debian",
	}
	if source := s["source"]; source != "" {
		p.Source = source
		if name, version, ok := strings.Cut(source, " ("); ok {
			p.Source, p.SourceVersion = name, strings.TrimSuffix(version, ")")
		}
	}
	return p
}

// fileVersion is a version as apt-get writes it in a file name: an epoch's colon is escaped.
func fileVersion(version string) string { return strings.ReplaceAll(version, ":", "%3a") }

func (a *Archive) download(ctx context.Context, specs []string) error {
	if len(specs) == 0 {
		return nil
	}
	dir := filepath.Join(a.Cache, "packages")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := a.run(ctx, dir, "apt-get", append([]string{"download", "-q"}, specs...)...); err != nil {
		// The mirror may have newer versions by now: let the next build ask for the lists.
		os.Remove(a.stamp())
		return err
	}
	return nil
}

// hasSum reports whether the file exists and has the SHA-256.
func hasSum(name, sum string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)) == sum, nil
}

// unpack fills p.Root from the .deb beside it. A Root that exists is whole, since it is renamed into place.
func unpack(ctx context.Context, p Package) error {
	marker := filepath.Join(p.Root, ".sha256")
	if b, err := os.ReadFile(marker); err == nil && string(b) == p.SHA256 {
		return nil
	}
	partial := p.Root + ".partial"
	for _, dir := range []string{partial, p.Root} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if _, err := command.Output(exec.CommandContext(ctx, "dpkg-deb", "-x", p.Root+".deb", partial)); err != nil {
		return fmt.Errorf("unpack %s: %w", p.Name, err)
	}
	if err := os.WriteFile(filepath.Join(partial, ".sha256"), []byte(p.SHA256), 0o644); err != nil {
		return err
	}
	return os.Rename(partial, p.Root)
}

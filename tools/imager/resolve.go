package main

import (
	"bytes"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/tools/imager/definition"
)

// resolved is an image definition with what it came to in this build.
type resolved struct {
	Definition definition.Definition `yaml:",inline"`
	Resolved   resolution            `yaml:"resolved"`
}

type resolution struct {
	Version    string            `yaml:"version"`
	Built      string            `yaml:"built"` // RFC 3339
	Kubernetes string            `yaml:"kubernetes"`
	Go         string            `yaml:"go"`
	Kernel     string            `yaml:"kernel"`
	Suites     resolvedSuites    `yaml:"suites"`
	Packages   []resolvedPackage `yaml:"packages"` // those that the image has files of
	Tools      []resolvedPackage `yaml:"tools"`    // those that only worked on it, and boot loaders
	Modules    resolvedModules   `yaml:"modules"`
}

// resolvedSuites are those of Debian that packages could be taken from, and those that the build had to go without.
type resolvedSuites struct {
	Used    []string `yaml:"used,flow"`
	Kernel  []string `yaml:"kernel,flow,omitempty"` // that the kernel is of, if not of those
	Missing []string `yaml:"missing,flow,omitempty"`
}

type resolvedPackage struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	SHA256  string `yaml:"sha256"`
}

type resolvedModules struct {
	Initramfs []string `yaml:"initramfs,flow"`
	Root      []string `yaml:"root,flow"`
}

// resolve is the definition with exact versions.
func (b *builder) resolve() ([]byte, error) {
	r := resolved{Definition: *b.definition, Resolved: resolution{
		Version: b.source.Version, Built: b.source.Time.Format(time.RFC3339),
		Kubernetes: b.source.Kubernetes, Go: b.source.Go, Kernel: b.kernel.Release,
		Suites:  resolvedSuites{Used: b.archive.Suites()},
		Modules: resolvedModules{Initramfs: b.modules.initramfs, Root: b.modules.root},
	}}
	if b.kernelArchive != b.archive {
		r.Resolved.Suites.Kernel = b.kernelArchive.Suites()
	}
	for _, m := range b.archive.Missing() {
		r.Resolved.Suites.Missing = append(r.Resolved.Suites.Missing, m.Suite)
	}
	for _, p := range b.shipped {
		r.Resolved.Packages = append(r.Resolved.Packages, resolvedPackage{p.Name, p.Version, p.SHA256})
	}
	for _, p := range b.tools.Packages() {
		r.Resolved.Tools = append(r.Resolved.Tools, resolvedPackage{p.Name, p.Version, p.SHA256})
	}
	var text bytes.Buffer
	text.WriteString("# The image definition that this image was built from, and what it came to.\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(r); err != nil {
		return nil, err
	}
	return text.Bytes(), encoder.Close()
}

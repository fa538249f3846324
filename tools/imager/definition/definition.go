// Package definition reads image definitions: the YAML files in images/ that say what an image is made of.
package definition

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/configs/grub"
	"github.com/coracle-os/coracle/machined/keys"
)

// Definition is one image.
type Definition struct {
	Arch       string      `yaml:"arch"`              // Debian's name
	Flavour    string      `yaml:"flavour,omitempty"` // of the architecture's images, for machines that the plain one is not for; empty: that
	Include    []string    `yaml:"include,omitempty"` // files of the repository with what definitions have in common
	Debian     Debian      `yaml:"debian,omitempty"`
	Kernel     Kernel      `yaml:"kernel,omitempty"`
	Firmware   Firmware    `yaml:"firmware,omitempty"`
	Initramfs  Initramfs   `yaml:"initramfs,omitempty"`
	Packages   []Package   `yaml:"packages,omitempty"`
	Go         []Program   `yaml:"go,omitempty"`
	Containers []Container `yaml:"containers,omitempty"`
	Files      []File      `yaml:"files,omitempty"`
	Services   []Service   `yaml:"services,omitempty"`
	Root       Root        `yaml:"root"`
	Disk       Disk        `yaml:"disk"`

	Trust          []Trusted `yaml:"trust,omitempty"`          // whose upgrade artifacts a machine takes
	MinimumVersion string    `yaml:"minimumVersion,omitempty"` // of Coracle, that can be upgraded to this; empty: any
}

// Trusted is a public key whose signatures are trusted.
type Trusted struct {
	Name string         `yaml:"name"`
	Key  keys.PublicKey `yaml:"key"`
}

// Debian is where packages come from. The suite's updates and security suites are used too; docs/decisions/0140 says when not.
type Debian struct {
	Suite      string   `yaml:"suite" default:"trixie"`
	Components []string `yaml:"components" default:"main"`
}

// Kernel is Debian's kernel and what is taken of it.
type Kernel struct {
	Package   string   `yaml:"package"`         // metapackage such as linux-image-amd64
	Suite     string   `yaml:"suite,omitempty"` // of Debian, that it is taken from alone, such as trixie-backports; empty: as all else
	Arguments []string `yaml:"arguments"`       // the slot's own kernel arguments; grub.DefaultArguments if there are none
	Modules   Modules  `yaml:"modules"`
}

// Modules names sets of arch/modules.yml.
type Modules struct {
	Initramfs []string `yaml:"initramfs,omitempty"`
	Root      []string `yaml:"root"` // besides those of the initramfs
}

// Firmware lists the packages in which firmware is looked for that the chosen kernel modules ask for.
type Firmware struct {
	Packages []string `yaml:"packages,omitempty"`
}

// Initramfs is what the kernel starts first.
type Initramfs struct {
	Init string `yaml:"init"` // Go package of /init
}

// Package takes files out of a Debian package, with the shared libraries that they link to.
type Package struct {
	Name  string   `yaml:"name"`
	Files []string `yaml:"files,omitempty"` // absolute paths, may have * as in path.Match
}

// Program is built from a Go package of this module or of one that go.mod has.
type Program struct {
	Path    string   `yaml:"path"`           // in the root
	Package string   `yaml:"package"`        // import path, or ./folder
	CGO     []string `yaml:"cgo,omitempty"`  // packages of the build host with C libraries, linked statically
	Tags    []string `yaml:"tags,omitempty"` // build tags besides those of all programs
}

// Container is a container image that is in the root, so that a machine needs no registry on its first boot; or, without
// a Path, one for tests and benchmarks only.
type Container struct {
	Path       string `yaml:"path,omitempty"` // of the OCI archive in the root
	Definition string `yaml:"definition"`     // file that says how it is built
}

// File is one file, folder or link in the root. Exactly one of Content, Source, Concatenate, Symlink and Folder is set.
type File struct {
	Path        string `yaml:"path"`
	Mode        Mode   `yaml:"mode,omitempty"`        // 0644, for folders 0755, if not set
	Content     string `yaml:"content,omitempty"`     // text
	Source      string `yaml:"source,omitempty"`      // file of the repository
	Concatenate string `yaml:"concatenate,omitempty"` // PACKAGE:GLOB, the package's files one after the other, by name
	Symlink     string `yaml:"symlink,omitempty"`     // where the link points
	Folder      bool   `yaml:"folder,omitempty"`      // an empty folder
}

// Service is a process of the machine, in the order in which each starts the next. The build fails when its program is
// not in the root.
type Service struct {
	Name    string `yaml:"name"`
	Program string `yaml:"program"`
}

// Root says how the root file system is packed.
type Root struct {
	Format      string `yaml:"format" enum:"squashfs|erofs" default:"squashfs"`
	Compression string `yaml:"compression" enum:"zstd|xz|lz4hc" default:"zstd"`
	Level       int    `yaml:"level,omitempty"`                                      // of zstd and lz4hc; 0 is the tool's default
	Block       Size   `yaml:"block" default:"128KiB"`                               // compressed at once; what a page fault reads at least
	Limit       Size   `yaml:"limit" default:"160MB"`                                // the build fails when the root is larger
	Hash        string `yaml:"hash" enum:"blake2b-256|sha256" default:"blake2b-256"` // of dm-verity's tree over it; one of [slot.HashAlgorithms]
}

// Disk says how a disk image starts and is divided.
type Disk struct {
	Bootloader string `yaml:"bootloader" enum:"grub" default:"grub"` // GRUB for UEFI and BIOS
	Slot       Size   `yaml:"slot" default:"320MiB"`                 // of a slot's partition: room for later versions
	UEFI       bool   `yaml:"uefi" default:"true"`                   // a disk for UEFI, and BIOS; without it, one of boards is all there is
	// Boards that need a disk of their own: they start from files on BOOT.
	Boards []string `yaml:"boards,omitempty" enum:"raspberry-pi"`
}

// Load reads and checks a definition. Its error names every problem, by file and line.
func Load(name string) (*Definition, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read image definition: %w", err)
	}
	return Parse(name, data, func(included string) ([]byte, error) {
		dir, err := Repository(name)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(filepath.Join(dir, included))
	})
}

// Parse checks data, the content of file name, as [Load] does. read reads the files that it includes.
func Parse(name string, data []byte, read func(name string) ([]byte, error)) (*Definition, error) {
	p, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	included, problems := p.included(read)
	d := p.merge(included)
	if problems = append(problems, d.problems(append(included, p))...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	if len(d.Kernel.Arguments) == 0 { // They have commas, so that the tag default cannot have them.
		d.Kernel.Arguments = slices.Clone(grub.DefaultArguments)
	}
	return d, nil
}

// Repository finds the folder of go.mod that the definition file belongs to; the paths in it are relative to that.
func Repository(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s: an image definition belongs to the repository that it is built from", name)
		}
	}
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/config/types"
)

const (
	// Path is the config on DATA.
	Path = "/var/lib/coracle/config/machine.yaml"

	// BootName is the file on BOOT where a person puts a config, ImportedName what it is called once it is on DATA.
	BootName     = "machine.yaml"
	ImportedName = "machine.yaml.imported"

	// Argument is the kernel argument with a config's URL.
	Argument = "coracle.config"
)

// Sources are the places where a config may be, in the order in which they are asked.
type Sources struct {
	Data string // path on DATA; empty when DATA is not mounted
	// Boot mounts BOOT, calls f with the folder, and unmounts it. Nil when there is no BOOT.
	Boot func(writable bool, f func(dir string) error) error
	URL  string // value of the kernel argument; empty: not given
}

// Found is what the sources held.
type Found struct {
	Config *types.MachineConfig // nil: none, or none that is valid
	From   string               // where it is from, for a person
	Fetch  string               // URL to fetch a config from, once there is a network; to be shown by [ShownURL] only

	Notices []string // what a person should know, without being a problem
	Problem error    // why a config that is there is not in force
	Hint    string   // what to do about it
}

// Find asks the sources. What comes from elsewhere is imported to DATA.
func (s Sources) Find() Found {
	var f Found
	s.fromData(&f)
	s.fromBoot(&f)
	if f.Config == nil {
		s.fromArgument(&f)
	}
	return f
}

func (s Sources) fromData(f *Found) {
	if s.Data == "" {
		return
	}
	text, err := os.ReadFile(s.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		f.Problem, f.Hint = fmt.Errorf("read the machine config: %w", err), "put a machine.yaml on the BOOT partition"
		return
	}
	c, err := Parse(s.Data, text)
	if err != nil {
		f.Problem, f.Hint = err, "put a corrected machine.yaml on the BOOT partition"
		return
	}
	f.Config, f.From = &c, "DATA"
}

// fromBoot imports machine.yaml from BOOT, unless DATA has a config.
func (s Sources) fromBoot(f *Found) {
	if s.Boot == nil {
		return
	}
	var text []byte
	err := s.Boot(false, func(dir string) (err error) {
		text, err = readLimited(filepath.Join(dir, BootName))
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		f.Notices = append(f.Notices, fmt.Sprintf("cannot read %s on the BOOT partition: %v", BootName, err))
		return
	case f.Config != nil:
		if !s.isOnData(text) {
			f.Notices = append(f.Notices, fmt.Sprintf("%s on the BOOT partition is ignored: this machine has a config on DATA, which comes first", BootName))
			return
		}
		// The power went between the import and the rename.
		if err := s.markImported(); err != nil {
			f.Notices = append(f.Notices, err.Error())
		}
		return
	}
	c, err := Parse("BOOT/"+BootName, text)
	if err != nil {
		f.Problem, f.Hint = err, "correct machine.yaml on the BOOT partition from any computer, then start the machine again"
		return
	}
	f.use(&c, BootName+" on the BOOT partition")
	if s.Data == "" {
		return
	}
	if err := atomicfile.Write(s.Data, text, 0o600); err != nil {
		f.Notices = append(f.Notices, fmt.Sprintf("cannot keep the machine config: %v", err))
		return
	}
	if err := s.markImported(); err != nil {
		f.Notices = append(f.Notices, err.Error())
	}
}

func (f *Found) use(c *types.MachineConfig, from string) {
	f.Config, f.From, f.Problem, f.Hint = c, from, nil, ""
}

func (s Sources) isOnData(text []byte) bool {
	have, err := os.ReadFile(s.Data)
	return err == nil && bytes.Equal(have, text)
}

// markImported renames machine.yaml on BOOT, so that a person sees that it was taken.
func (s Sources) markImported() error {
	err := s.Boot(true, func(dir string) error {
		if err := os.Rename(filepath.Join(dir, BootName), filepath.Join(dir, ImportedName)); err != nil {
			return err
		}
		return atomicfile.SyncDir(dir)
	})
	if err != nil {
		return fmt.Errorf("the machine config was imported, but on the BOOT partition it could not be renamed to %s: %w", ImportedName, err)
	}
	return nil
}

func (s Sources) fromArgument(f *Found) {
	switch {
	case s.URL == "":
	case strings.HasPrefix(s.URL, "data:"):
		text, err := decodeDataURL(s.URL)
		if err == nil {
			err = s.Import(f, Argument, text)
		}
		if err != nil {
			f.Problem, f.Hint = err, "correct the kernel argument "+Argument
		}
	case strings.HasPrefix(s.URL, "http://"), strings.HasPrefix(s.URL, "https://"):
		f.Fetch = s.URL
	default:
		f.Problem = fmt.Errorf("the kernel argument %s is not an http:, https: or data: URL", Argument)
		f.Hint = "correct the kernel argument " + Argument
	}
}

// Import makes text, which came from somewhere else, the config and keeps it on DATA. from is shown.
func (s Sources) Import(f *Found, from string, text []byte) error {
	c, err := Parse(from, text)
	if err != nil {
		return err
	}
	f.use(&c, "kernel argument "+Argument)
	if s.Data == "" {
		return nil
	}
	if err := atomicfile.Write(s.Data, text, 0o600); err != nil {
		f.Notices = append(f.Notices, fmt.Sprintf("cannot keep the machine config: %v", err))
	}
	return nil
}

// readLimited reads a file that is no larger than a config may be, and one byte more, for [Parse] to refuse.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, MaxSize+1)
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

const (
	// Dir is the folder of configs on DATA, Path the one in force.
	Dir  = "/var/lib/coracle/config"
	Path = Dir + "/" + inForceName

	// BootName is the file on BOOT where a person puts a config, ImportedName what it is called once it is on DATA.
	BootName     = "machine.yaml"
	ImportedName = "machine.yaml.imported"

	// MediaName is the file on a volume labelled CORACLE.
	MediaName = "machine.yaml"

	// EmbeddedPath is the config in the image, if its definition (images/) puts a file there.
	EmbeddedPath = "/usr/share/coracle/machine.yaml"
)

// Sources are the places where a config may be.
type Sources struct {
	Data string // path on DATA; empty when DATA is not mounted
	Kept string // path of the config as this version of Coracle had it last; empty: none
	// Boot mounts BOOT, calls f with the folder, and unmounts it. Nil when there is no BOOT.
	Boot     func(writable bool, f func(dir string) error) error
	Media    string // folder where a volume labelled CORACLE is mounted; empty when none is attached
	URL      string // value of the kernel argument [Argument]; empty: not given
	Digest   string // value of the kernel argument [DigestArgument]; empty: not given
	Embedded string // path in the image
	Arch     string // of the machine, as Go names it; empty: a config for any will do
}

// The names of the sources, for a person.
const (
	fromData     = "DATA"
	fromKept     = "DATA, kept for this version of Coracle"
	fromBoot     = BootName + " on the BOOT partition"
	fromMedia    = MediaName + " on the volume CORACLE"
	fromArgument = "kernel argument " + Argument
	fromImage    = "the image"
)

// order is the one in which the sources are asked. A source returns why it was not used; empty when it was.
var order = []struct {
	name string
	ask  func(Sources, *Found) string
}{
	{fromData, Sources.data},
	{fromBoot, Sources.boot},
	{fromMedia, Sources.media},
	{fromArgument, Sources.argument},
	{fromImage, Sources.embedded},
}

// Source is a place where a config may be, and what became of it.
type Source struct {
	Name string
	Used bool
	Why  string // it was not used
}

// Found is what the sources held.
type Found struct {
	Config  *types.MachineConfig // nil: none, or none that is valid
	Text    []byte               // that Config was read from
	From    string               // where it is from, for a person
	Fetch   *Remote              // where a config is to be fetched from, once there is a network
	Sources []Source             // all, in their order

	Notices []string // what a person should know, without being a problem
	Problem error    // why a config that is there is not in force
	Hint    string   // what to do about it

	badData bool // the one on DATA is not valid
}

// notThere is why most sources are not used.
const notThere = "not there"

// Find asks the sources. The first that has a config is used; what comes from outside the machine is imported to DATA.
func (s Sources) Find() Found {
	var f Found
	for _, source := range order {
		why := source.ask(s, &f)
		f.Sources = append(f.Sources, Source{Name: source.name, Used: why == "", Why: why})
	}
	return f
}

// LookAtMedia asks the volume labelled CORACLE again, which was attached only after [Sources.Find].
func (s Sources) LookAtMedia(f *Found) {
	fetch := f.Fetch
	f.Fetch = nil // comes after it
	f.became(fromMedia, s.media(f))
	switch {
	case f.Config == nil:
		f.Fetch = fetch
	case fetch != nil:
		f.became(fromArgument, f.taken())
	}
}

// became notes what became of a source.
func (f *Found) became(name, why string) {
	f.Sources = slices.Clone(f.Sources) // others may be reading it
	for i, source := range f.Sources {
		if source.Name == name {
			f.Sources[i] = Source{Name: name, Used: why == "", Why: why}
		}
	}
}

// taken is why a source is not asked; empty when it is.
func (f *Found) taken() string {
	switch {
	case f.Config != nil:
		return "not asked: " + f.From + " has one"
	case f.Fetch != nil:
		return "not asked: the one of the " + fromArgument + " is fetched"
	}
	return ""
}

// use makes a config that which was found. A problem with an earlier source is no longer one.
func (f *Found) use(c *types.MachineConfig, text []byte, from string) {
	if f.Problem != nil {
		f.notice("a machine config is not used: %v", f.Problem)
	}
	f.Config, f.Text, f.From, f.Fetch, f.Problem, f.Hint = c, text, from, nil, nil, ""
}

// refuse keeps what is wrong with a source, and returns why it is not used.
func (f *Found) refuse(err error, hint string) string {
	f.Problem, f.Hint = err, hint
	return "not valid: " + err.Error()
}

func (f *Found) notice(format string, args ...any) {
	f.Notices = append(f.Notices, fmt.Sprintf(format, args...))
}

// parse reads a config that this machine can have.
func (s Sources) parse(file string, text []byte) (types.MachineConfig, error) {
	c, err := Parse(file, text)
	if arch := c.Machine.Arch; err == nil && arch != "" && s.Arch != "" && arch != s.Arch {
		err = strict.Problems{{File: file, Path: "machine.arch", Message: fmt.Sprintf("is %s, this machine is %s", arch, s.Arch)}}
	}
	return c, err
}

func (s Sources) data(f *Found) string {
	const hint = "put a corrected machine.yaml on the BOOT partition"
	if s.Data == "" {
		return "DATA cannot be used"
	}
	text, err := os.ReadFile(s.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return notThere
	}
	if err != nil {
		return f.refuse(fmt.Errorf("read the machine config: %w", err), hint)
	}
	c, err := s.parse(s.Data, text)
	if err != nil {
		f.badData = true
		return f.refuse(err, hint)
	}
	f.use(&c, text, fromData)
	return ""
}

// keptOne uses the config that this version of Coracle had when a later one took over, unless somebody has attached another:
// the machine was gone back, and the one on DATA has what only the later version knows. It stays there, and why it
// is not in force stays a problem.
func (s Sources) keptOne(f *Found) {
	if !f.badData || f.Config != nil {
		return
	}
	text, err := os.ReadFile(s.Kept)
	if err != nil {
		return
	}
	if c, err := s.parse(s.Kept, text); err == nil {
		f.Config, f.Text, f.From = &c, text, fromKept
	}
}

// boot imports machine.yaml from BOOT, unless DATA has a config.
func (s Sources) boot(f *Found) string {
	if s.Boot == nil {
		return notThere
	}
	var text []byte
	err := s.Boot(false, func(dir string) (err error) {
		text, err = readLimited(filepath.Join(dir, BootName))
		return err
	})
	switch taken := f.taken(); {
	case errors.Is(err, fs.ErrNotExist):
		return notThere
	case err != nil:
		f.notice("cannot read %s on the BOOT partition: %v", BootName, err)
		return "cannot be read: " + err.Error()
	case taken != "" && !s.isOnData(text):
		f.notice("%s on the BOOT partition is ignored: this machine has a config on DATA, which comes first", BootName)
		return "ignored: DATA has one"
	case taken != "": // the power went between the import and the rename
		s.markImported(f)
		return "imported before: DATA has it"
	}
	c, err := s.parse("BOOT/"+BootName, text)
	if err != nil {
		return f.refuse(err, "correct machine.yaml on the BOOT partition from any computer, then start the machine again")
	}
	f.use(&c, text, fromBoot)
	if s.keep(f) {
		s.markImported(f)
	}
	return ""
}

// media imports machine.yaml from a volume labelled CORACLE.
func (s Sources) media(f *Found) string {
	if taken := f.taken(); taken != "" {
		return taken
	}
	if s.Media == "" {
		return "no such volume is attached"
	}
	text, err := readLimited(filepath.Join(s.Media, MediaName))
	if errors.Is(err, fs.ErrNotExist) {
		return notThere
	}
	const hint = "correct machine.yaml on the volume CORACLE from any computer, then start the machine again"
	if err != nil {
		return f.refuse(fmt.Errorf("read %s: %w", fromMedia, err), hint)
	}
	c, err := s.parse("CORACLE/"+MediaName, text)
	if err != nil {
		return f.refuse(err, hint)
	}
	f.use(&c, text, fromMedia)
	s.keep(f)
	return ""
}

// embedded reads the config that is in the image. It is not kept on DATA, so that a release can bring another. It does not
// hide that the one on DATA cannot be used.
func (s Sources) embedded(f *Found) string {
	if taken := f.taken(); taken != "" {
		return taken
	}
	text, err := os.ReadFile(s.Embedded)
	if errors.Is(err, fs.ErrNotExist) {
		return notThere
	}
	if err != nil {
		return f.refuse(fmt.Errorf("read the machine config in the image: %w", err), "install another release")
	}
	c, err := s.parse(s.Embedded, text)
	if err != nil {
		return f.refuse(err, "build the image with a corrected config")
	}
	f.Config, f.Text, f.From = &c, text, fromImage
	return ""
}

// keep puts the config that was found on DATA, and says whether it is there.
func (s Sources) keep(f *Found) bool {
	if s.Data == "" {
		return false
	}
	files := Files{Dir: filepath.Dir(s.Data)}
	err := files.Prepare(f.Text)
	if err == nil {
		err = files.Commit()
	}
	if err != nil {
		f.notice("cannot keep the machine config: %v", err)
	}
	return err == nil
}

func (s Sources) isOnData(text []byte) bool {
	have, err := os.ReadFile(s.Data)
	return err == nil && bytes.Equal(have, text)
}

// markImported renames machine.yaml on BOOT, so that a person sees that it was taken.
func (s Sources) markImported(f *Found) {
	err := s.Boot(true, func(dir string) error {
		if err := os.Rename(filepath.Join(dir, BootName), filepath.Join(dir, ImportedName)); err != nil {
			return err
		}
		return atomicfile.SyncDir(dir)
	})
	if err != nil {
		f.notice("the machine config was imported, but on the BOOT partition it could not be renamed to %s: %v", ImportedName, err)
	}
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

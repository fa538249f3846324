package update

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

const (
	imageSize     = 3 * slot.Align
	partitionSize = 4 * slot.Align
)

// noise is content that does not compress, the same for the same seed.
func noise(seed byte, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// bench is a machine with two slots, of which a runs.
type bench struct {
	*testing.T
	key      ed25519.PrivateKey
	dir      string
	env      grubenv.State
	envBad   bool // the file cannot be believed
	restarts []string
	config   []byte
	onDisk   bool // the slots are opened as a machine opens its own
	cutting  bool // the power is cut when left writes were made
	left     int
	dark     bool // the power was cut
}

// errCut is that the power is gone.
var errCut = errors.New("the power is cut")

// power is asked before each write.
func (b *bench) power() error {
	if b.cutting && b.left == 0 {
		b.dark = true
		return errCut
	}
	b.left--
	return nil
}

// cutAfter cuts the power after n more writes.
func (b *bench) cutAfter(n int) { b.cutting, b.left, b.dark = true, n, false }

// powerIsBack returns whether it was cut.
func (b *bench) powerIsBack() bool {
	b.cutting = false
	return b.dark
}

// Read and Write are the boot loader's state.
func (b *bench) Read() (grubenv.State, bool, error) { return b.env, !b.envBad, nil }

func (b *bench) Write(s grubenv.State) error {
	if err := b.power(); err != nil {
		return err
	}
	b.env, b.envBad = s, false
	return nil
}

// keepFile writes a file as a machine does: all of it or nothing.
func (b *bench) keepFile(path string, content []byte) error {
	if err := b.power(); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600))
}

// benchSlot is a slot's partition without the disk below it. Of the write at which the power is cut a half is done.
type benchSlot struct {
	*os.File
	b *bench
}

func (p benchSlot) Sync() error { return nil }

func (p benchSlot) ReadAt(to []byte, at int64) (int, error) {
	if at%direct.Sector != 0 || len(to)%direct.Sector != 0 {
		p.b.Errorf("%d bytes are read at %d: a disk has whole sectors", len(to), at)
	}
	return p.File.ReadAt(to, at)
}

func (p benchSlot) WriteAt(from []byte, at int64) (int, error) {
	if at%direct.Sector != 0 || len(from)%direct.Sector != 0 {
		p.b.Errorf("%d bytes are written at %d: a disk has whole sectors", len(from), at)
	}
	first := !p.b.dark
	if err := p.b.power(); err != nil {
		if first {
			p.File.WriteAt(from[:len(from)/2/512*512], at)
		}
		return 0, err
	}
	return p.File.WriteAt(from, at)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, key: key, dir: t.TempDir(), env: grubenv.State{Active: "a"}}
	if err := os.WriteFile(b.device("a"), noise(1, imageSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(b.device("a"), partitionSize); err != nil {
		t.Fatal(err)
	}
	b.clear("b")
	return b
}

// clear empties a slot.
func (b *bench) clear(slot string) {
	b.Helper()
	if err := errors.Join(os.WriteFile(b.device(slot), nil, 0o600), os.Truncate(b.device(slot), partitionSize)); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) device(slot string) string { return filepath.Join(b.dir, slot) }

// updater is machined after a boot of a slot.
func (b *bench) updater(slot, version string, trial bool) *Updater {
	u := &Updater{
		Boot:        handover.Boot{Disk: "disk", Slot: slot, SlotDevice: b.device(slot), ImageSize: imageSize, Trial: trial},
		Release:     release.Release{Version: version, Arch: "amd64", Kubernetes: "v1.37.2"},
		Dir:         filepath.Join(b.dir, "update"),
		Database:    filepath.Join(b.dir, "db", "state.db"),
		Partition:   func(slot string) (string, error) { return b.device(slot), nil },
		Environment: b,
		Trusted:     func() ([]keys.PublicKey, error) { return []keys.PublicKey{keys.Public(b.key)}, nil },
		Settings:    func() Settings { return Settings{Deadline: 10 * time.Minute, Confirm: time.Minute, Drain: time.Minute} },
		Config:      func() []byte { return b.config },
		NodeReady:   func() bool { return true },
		Restart:     func(why string) error { b.restarts = append(b.restarts, why); return nil },
		Log:         slog.New(slog.DiscardHandler),
	}
	if !b.onDisk {
		u.keepFile = b.keepFile
		u.openSlot = func(device string) (partition, int64, error) {
			f, err := os.OpenFile(device, os.O_RDWR, 0)
			if err != nil {
				return nil, 0, err
			}
			size, err := f.Seek(0, io.SeekEnd)
			return benchSlot{f, b}, size, err
		}
	}
	return u
}

// started is machined after a boot that found out how things stand.
func (b *bench) started(slot, version string, trial bool) (*Updater, *Outcome) {
	b.Helper()
	u := b.updater(slot, version, trial)
	o, err := u.Recover(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	return u, o
}

func sumOf(content []byte) artifact.Part {
	sum := blake2b.Sum256(content)
	return artifact.Part{Size: uint64(len(content)), Hash: hex.EncodeToString(sum[:])}
}

// made is an artifact.
type made struct {
	file, index []byte
	manifest    artifact.Manifest
}

// artifact makes one of an image, signed by the bench's key.
func (b *bench) artifact(version string, image []byte, change ...func(*artifact.Manifest)) made {
	b.Helper()
	var packed bytes.Buffer
	index, err := chunks.Pack(&packed, bytes.NewReader(image))
	if err != nil {
		b.Fatal(err)
	}
	var m made
	if m.index, err = index.MarshalBinary(); err != nil {
		b.Fatal(err)
	}
	m.manifest = artifact.Manifest{
		Format: 1, Version: version, Arch: "amd64", Kubernetes: "v1.37.3", DataFormat: 1, RootHash: hex.EncodeToString(make([]byte, 32)),
		Image: sumOf(image), Packed: sumOf(packed.Bytes()), Index: sumOf(m.index),
	}
	for _, c := range change {
		c(&m.manifest)
	}
	text, err := m.manifest.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	m.file = b.tar(text, artifact.Sign(text, b.key), packed.Bytes())
	return m
}

func (b *bench) tar(manifest, signatures, packed []byte) []byte {
	b.Helper()
	var file bytes.Buffer
	if err := artifact.Write(&file, manifest, signatures, bytes.NewReader(packed), int64(len(packed)), time.Unix(0, 0)); err != nil {
		b.Fatal(err)
	}
	return file.Bytes()
}

// install pushes an artifact.
func (b *bench) install(u *Updater, file []byte, o Options) (Result, error) {
	b.Helper()
	return u.Install(b.Context(), Stream{bytes.NewReader(file)}, o, func(Progress) {})
}

// content is what is in a slot where its image is.
func (b *bench) content(slot string) []byte {
	b.Helper()
	all, err := os.ReadFile(b.device(slot))
	if err != nil {
		b.Fatal(err)
	}
	return all[:imageSize]
}

// record is that of a slot.
func (b *bench) record(slot string) record.Record {
	b.Helper()
	f, err := os.Open(b.device(slot))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r, err := record.Read(f, partitionSize)
	if err != nil && !errors.Is(err, record.ErrNone) {
		b.Fatal(err)
	}
	return r
}

// reach is what init writes down on the way.
func (b *bench) reach(slot string, phase record.Phase) {
	b.Helper()
	if err := record.Update(b.device(slot), func(r *record.Record) { r.Phase = phase }); err != nil {
		b.Fatal(err)
	}
}

// tryIt is what the boot loader does with a slot that is to be tried.
func (b *bench) tryIt() (slot string, trial bool) {
	if b.env.Try == "" {
		return b.env.Active, false
	}
	b.env.Tried, b.env.Try = b.env.Try, ""
	return b.env.Tried, true
}

package update

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
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
	broken   func() error // power that fails: an error at the next write
}

// Read and Write are the boot loader's state.
func (b *bench) Read() (grubenv.State, bool, error) { return b.env, !b.envBad, nil }

func (b *bench) Write(s grubenv.State) error {
	if b.broken != nil {
		if err := b.broken(); err != nil {
			return err
		}
	}
	b.env, b.envBad = s, false
	return nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, key: key, dir: t.TempDir(), env: grubenv.State{Active: "a"}}
	for name, content := range map[string][]byte{"a": noise(1, imageSize), "b": nil} {
		content = append(content, make([]byte, partitionSize-len(content))...)
		if err := os.WriteFile(b.device(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) device(slot string) string { return filepath.Join(b.dir, slot) }

// updater is machined after a boot of a slot.
func (b *bench) updater(slot, version string, trial bool) *Updater {
	return &Updater{
		Boot:        handover.Boot{Disk: "disk", Slot: slot, SlotDevice: b.device(slot), ImageSize: imageSize, Trial: trial},
		Release:     release.Release{Version: version, Arch: "amd64", Kubernetes: "v1.37.2"},
		Dir:         filepath.Join(b.dir, "update"),
		Database:    filepath.Join(b.dir, "db", "state.db"),
		Partition:   func(slot string) (string, error) { return b.device(slot), nil },
		Environment: b,
		Trusted:     func() ([]keys.PublicKey, error) { return []keys.PublicKey{keys.Public(b.key)}, nil },
		Settings:    func() Settings { return Settings{Deadline: 10 * time.Minute, Confirm: time.Minute} },
		NodeReady:   func() bool { return true },
		Restart:     func(why string) error { b.restarts = append(b.restarts, why); return nil },
		Log:         slog.New(slog.DiscardHandler),
	}
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

// Package update brings another version of Coracle into the slot that does not run, has it tried once, and keeps it or
// takes it back.
//
// What is where: the boot loader's choice is in its environment on BOOT (images/slot/grubenv), how far a trial came in the
// record at the end of its slot (images/slot/record), and what is remembered, in a file on DATA. They are written in an
// order in which a power cut between any two leaves a machine that boots, and that knows what happened. docs/upgrades.md
// tells it to users, docs/decisions/0100 why it is so.
package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/keys"
)

// Environment is the boot loader's state.
type Environment interface {
	Read() (s grubenv.State, whole bool, err error)
	Write(grubenv.State) error
}

// Settings are the config's machine.upgrade, as far as they concern this package.
type Settings struct {
	Deadline time.Duration // from the kernel's start until a version on trial must be confirmed
	Confirm  time.Duration // how long it must be healthy
	Drain    time.Duration // most time for pods to leave before the machine restarts; 0: they are not asked to
}

// Updater upgrades a machine. All fields are set before its first use.
type Updater struct {
	Boot        handover.Boot
	Release     release.Release
	Dir         string // on DATA; empty: there is no DATA
	Database    string // of the cluster, on DATA
	Partition   func(slot string) (device string, err error)
	Environment Environment
	Trusted     func() ([]keys.PublicKey, error)
	Settings    func() Settings
	Config      func() []byte // in force; nil: the machine has none
	NodeReady   func() bool
	Drain       func(ctx context.Context, most time.Duration) error // has pods leave that have somewhere to go, and returns when they did; nil: none has
	Uncordon    func()                                              // has the node take pods again, as the machine does not restart after all
	Restart     func(why string) error                              // takes the machine down in order and starts it again
	Log         *slog.Logger

	openSlot func(device string) (partition, int64, error) // for tests; nil: openPartition
	keepFile func(path string, content []byte) error       // for tests; nil: atomicfile.Write

	installing sync.Mutex // held while the idle slot is changed

	mu         sync.Mutex // guards what follows
	memory     memory
	damaged    map[string]string // why a slot is not whole, by its name
	until      time.Time         // when a trial is given up, by the monotonic clock; zero: nothing is on trial
	restarting bool              // the machine was asked to
	progress   *Progress         // of an install; nil: there is none
}

// Errors of calls that come at the wrong time.
var (
	ErrBusy    = errors.New("another upgrade is being installed: wait for it, or see `coraclectl slots`")
	ErrOnTrial = errors.New("the version that runs is on trial: wait until it is confirmed or rolled back")
	ErrNoDisk  = errors.New("the machine did not boot from a disk: there are no slots to upgrade")
	// ErrRestarting is an ErrBusy.
	ErrRestarting = fmt.Errorf("the machine restarts: try again when it is back; %w", ErrBusy)
)

// Steps of an upgrade.
const (
	StepCheck  = "check"
	StepWrite  = "write"
	StepVerify = "verify"
	StepDrain  = "drain"
	StepReboot = "reboot"
)

// Progress is how far an upgrade is.
type Progress struct {
	Step           string
	Done, Total    uint64 // bytes of the step
	Fetched, Saved uint64 // bytes that came over the network, and that did not have to
}

// Options of an upgrade.
type Options struct {
	Stage bool          // do not restart the machine
	Force bool          // install what some checks would not
	Newer bool          // install a later version only
	Drain time.Duration // most time for pods to leave; 0: as the config says
	By    string        // whose key asked for it
}

// Result is an upgrade that was installed.
type Result struct {
	Version, Digest string
	Slot            string // it is in
	SignedBy        string // fingerprint
	Overridden      []string
	Reboot          bool // the machine restarts
	Fetched, Saved  uint64
}

// idle is the slot that does not run.
func (u *Updater) idle() string {
	if u.Boot.Slot == "a" {
		return "b"
	}
	return "a"
}

// open opens a slot's partition.
func (u *Updater) open(slot string) (partition, int64, error) {
	device, err := u.Partition(slot)
	if err != nil {
		return nil, 0, err
	}
	if u.openSlot != nil {
		return u.openSlot(device)
	}
	return openPartition(device)
}

// begin makes sure that the idle slot may be changed. end is to be called.
func (u *Updater) begin() (end func(), err error) {
	if u.Boot.Disk == "" {
		return nil, ErrNoDisk
	}
	if u.Dir == "" {
		return nil, errors.New("DATA cannot be used, so nothing could be remembered of an upgrade: mend DATA first")
	}
	if !u.installing.TryLock() {
		return nil, ErrBusy
	}
	u.mu.Lock()
	trial, restarting := !u.until.IsZero(), u.restarting
	u.mu.Unlock()
	switch {
	case trial:
		err = ErrOnTrial
	case restarting:
		err = ErrRestarting
	default:
		return u.installing.Unlock, nil
	}
	u.installing.Unlock()
	return nil, err
}

// Hold keeps upgrades from being installed until release is called. An error is why they cannot be kept from it now.
func (u *Updater) Hold() (release func(), err error) { return u.begin() }

func (u *Updater) onTrial() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.until.IsZero()
}

// Install writes the artifact of a source into the idle slot, checks it, and has it tried. What is wrong with the artifact is
// found before anything is written, as far as it can be.
func (u *Updater) Install(ctx context.Context, s Source, o Options, report func(Progress)) (Result, error) {
	end, err := u.begin()
	if err != nil {
		return Result{}, err
	}
	defer end()
	defer u.setProgress(nil)
	tell := func(p Progress) {
		if f, ok := s.(*fetched); ok {
			p.Fetched = f.bytes.Load()
		}
		u.setProgress(&p)
		report(p)
	}
	r, err := u.write(ctx, s, o, tell)
	if err != nil {
		return r, err
	}
	return r, u.arm(ctx, r.Slot, o, tell)
}

func (u *Updater) setProgress(p *Progress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.progress = p
}

// write brings an artifact into the idle slot.
func (u *Updater) write(ctx context.Context, s Source, o Options, tell func(Progress)) (Result, error) {
	r := Result{Slot: u.idle(), Reboot: !o.Stage}
	tell(Progress{Step: StepCheck})
	body, err := s.Artifact(ctx)
	if err != nil {
		return r, err
	}
	defer body.Close()
	a, err := artifact.Read(body)
	if err != nil {
		return r, &Refusal{"artifact", err.Error(), false}
	}
	p, size, err := u.open(r.Slot)
	if err != nil {
		return r, err
	}
	defer p.Close()
	signer, overridden, err := u.examine(a, size, o)
	if err != nil {
		return r, err
	}
	r.Version, r.Digest, r.SignedBy, r.Overridden = a.Manifest.Version, a.Digest(), signer.Fingerprint(), overridden
	for _, what := range overridden {
		u.Log.Warn("forced: " + what)
	}
	u.Log.Warn(fmt.Sprintf("%s installs version %s into slot %s", o.By, r.Version, r.Slot))

	image, done, err := u.image(ctx, s, a)
	if err != nil {
		return r, err
	}
	defer image.Close()
	if err := u.makeRoom(r.Slot); err != nil {
		return r, err
	}
	err = writeImage(ctx, p, size, image, a.Manifest.Image, func(step string, n uint64) {
		tell(Progress{Step: step, Done: n, Total: a.Manifest.Image.Size, Saved: saved(image)})
	})
	if err == nil {
		err = done()
	}
	if err != nil {
		return r, err
	}
	r.Saved = saved(image)
	if f, ok := s.(*fetched); ok {
		r.Fetched = f.bytes.Load()
	}
	return r, record.Write(p, size, record.Record{
		Digest: r.Digest, Version: r.Version, Kubernetes: a.Manifest.Kubernetes, From: u.Release.Version,
		Size: a.Manifest.Image.Size, Hash: a.Manifest.Image.Hash, Phase: record.Written,
	})
}

func (u *Updater) examine(a *artifact.Artifact, partition int64, o Options) (keys.PublicKey, []string, error) {
	trusted, err := u.Trusted()
	if err != nil {
		return keys.PublicKey{}, nil, err
	}
	own, err := u.readRecord(u.Boot.Slot)
	if err != nil {
		return keys.PublicKey{}, nil, err
	}
	u.mu.Lock()
	refused := u.memory.Refused
	u.mu.Unlock()
	return examine(a, running{
		digest: own.Digest, version: u.Release.Version, kubernetes: u.Release.Kubernetes, arch: u.Release.Arch, flavour: u.Release.Flavour, newer: o.Newer, partition: partition, trusted: trusted, refused: refused,
	}, o.Force)
}

// image is the slot image of an artifact, unpacked: whole, or with what the slot that runs has of it. done is called when it was
// read.
func (u *Updater) image(ctx context.Context, s Source, a *artifact.Artifact) (image io.ReadCloser, done func() error, err error) {
	if f, ok := s.(*fetched); ok {
		d, err := u.delta(ctx, f, a)
		if err == nil {
			return d, func() error { return nil }, nil
		}
		u.Log.Info("the artifact is fetched whole", "because", err)
	}
	image, err = unpack(a.Image)
	return image, a.End, err
}

func (u *Updater) delta(ctx context.Context, f *fetched, a *artifact.Artifact) (*delta, error) {
	index, err := f.index(ctx, a.Manifest.Index)
	if err != nil {
		return nil, err
	}
	if size, packed := index.Totals(); size != a.Manifest.Image.Size || packed != a.Manifest.Packed.Size {
		return nil, errors.New("its index is of another image")
	}
	p, size, err := u.open(u.Boot.Slot)
	if err != nil {
		return nil, err
	}
	d, err := newDelta(ctx, f, a.ImageOffset, index, p, min(size, int64(u.Boot.ImageSize)))
	if err != nil {
		p.Close()
		return nil, err
	}
	d.close = p.Close
	return d, nil
}

func saved(image io.Reader) uint64 {
	if d, ok := image.(*delta); ok {
		return d.saved.Load()
	}
	return 0
}

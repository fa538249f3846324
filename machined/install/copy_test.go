package install

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/storage"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

const (
	mib      = 1 << 20
	perMiB   = mib / 512
	bootMiB  = 2
	slotMiB  = 4
	imageMiB = 3
	dataAt   = 1 + bootMiB + 2*slotMiB // MiB
	sizeMiB  = dataAt + 512 + 2
)

// errCut is that the power is gone.
var errCut = errors.New("the power is cut")

// memory is a disk. What was not synced may be lost when the power is cut, sector by sector.
type memory struct {
	durable []byte
	pending map[int64][]byte // sector → content
	cutting bool             // the power is cut after left writes
	left    int
	dark    bool
	lose    *rand.Rand
}

func newMemory(size int) *memory {
	return &memory{durable: make([]byte, size), pending: map[int64][]byte{}}
}

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	n, err := bytes.NewReader(m.durable).ReadAt(b, at)
	for i := 0; i < n; i += 512 {
		if content, ok := m.pending[(at+int64(i))/512]; ok {
			copy(b[i:n], content)
		}
	}
	return n, err
}

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	if m.dark {
		return 0, errCut
	}
	if at%512 != 0 || len(b)%512 != 0 {
		return 0, errors.New("a write that is not of sectors")
	}
	cut := m.cutting && m.left == 0
	m.left--
	for i := 0; i < len(b); i += 512 {
		if !cut || m.lose.IntN(2) == 0 {
			m.pending[(at+int64(i))/512] = bytes.Clone(b[i : i+512])
		}
	}
	if cut {
		m.pull()
		return 0, errCut
	}
	return len(b), nil
}

// pull cuts the power.
func (m *memory) pull() {
	for s, content := range m.pending {
		if m.lose.IntN(2) == 0 {
			copy(m.durable[s*512:], content)
		}
	}
	clear(m.pending)
	m.dark = true
}

func (m *memory) Sync() error {
	if m.dark {
		return errCut
	}
	for s, content := range m.pending {
		copy(m.durable[s*512:], content)
	}
	clear(m.pending)
	return nil
}

// desk is a machine that runs from a stick, with a disk beside.
type desk struct {
	*testing.T
	stick, disk *memory
	old         *partitions.Table
	slot        string
	copies      []Made
	filled      string
}

func noise(seed byte, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// newDesk makes a stick with a table of that kind, whose slot runs.
func newDesk(t *testing.T, kind, running string) *desk {
	t.Helper()
	d := &desk{T: t, stick: newMemory((dataAt + 2) * mib), slot: running}
	copy(d.stick.durable, noise(1, (dataAt+1)*mib)) // as if each byte mattered
	clear(d.stick.durable[440:512])
	if kind == "MBR" {
		d.mbr()
	} else {
		d.gpt()
	}
	var health partitions.Health
	var err error
	if d.old, health, err = partitions.Read(d.stick, int64(len(d.stick.durable)), 512); err != nil || !health.Good() {
		t.Fatal(err, health)
	}
	if err := record.Write(d.slotOf(d.stick, d.old), slotMiB*mib, record.Record{}); err != nil {
		t.Fatal(err)
	}
	d.stick.Sync()
	d.disk = newMemory(sizeMiB * mib)
	return d
}

func (d *desk) gpt() {
	table := &partitions.Table{DiskID: partitions.NewGUID(), SectorSize: 512, Sectors: (dataAt + 2) * perMiB, FirstUsable: 34, LastUsable: (dataAt+2)*perMiB - 34, Partitions: make([]partitions.Partition, 128)}
	at := uint64(perMiB)
	for i, name := range []string{"coracle-boot", "coracle-a", "coracle-b"} {
		size := uint64(map[bool]int{true: bootMiB, false: slotMiB}[i == 0]) * perMiB
		if err := table.Add(i+1, name, partitions.TypeLinux, partitions.Extent{First: at, Last: at + size - 1}); err != nil {
			d.Fatal(err)
		}
		at += size
	}
	if err := table.Add(5, "coracle-bios", partitions.TypeBIOSBoot, partitions.Extent{First: 34, Last: perMiB - 1}); err != nil {
		d.Fatal(err)
	}
	if err := table.WriteNew(d.stick, bytes.Clone(d.stick.durable[:512])); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) mbr() {
	b := d.stick.durable
	copy(b[440:], "\x78\x56\x34\x12")
	at := byte(1)
	for i, size := range []byte{bootMiB, slotMiB, slotMiB} {
		e := b[446+16*i:]
		e[4] = map[bool]byte{true: 0x0c, false: 0xda}[i == 0]
		e[9], e[13] = at*(perMiB>>8), size*(perMiB>>8) // MiB are multiples of 256 sectors
		at += size
	}
	b[510], b[511] = 0x55, 0xaa
}

// slotOf is the partition of the slot that runs.
func (d *desk) slotOf(m *memory, t *partitions.Table) part {
	return part{m, int64(t.Partition(t.Find("coracle-"+d.slot)).First) * 512}
}

// part is a disk from a place on.
type part struct {
	*memory
	at int64
}

func (p part) ReadAt(b []byte, at int64) (int, error)  { return p.memory.ReadAt(b, p.at+at) }
func (p part) WriteAt(b []byte, at int64) (int, error) { return p.memory.WriteAt(b, p.at+at) }

// run copies the stick to the disk, as a machine would that was switched on.
func (d *desk) run() error {
	d.Helper()
	table, err := storage.TableFor(d.old, uint64(len(d.disk.durable)))
	if err != nil {
		d.Fatal(err)
	}
	c := Copier{
		Source: d.stick, Old: d.old, Slot: d.slot, ImageSize: imageMiB * mib, Target: d.disk, Size: int64(len(d.disk.durable)), New: table,
		Alone: func(do func() error) error { return do() },
		Fill: func(context.Context) error {
			d.filled = table.ID()
			_, err := d.disk.WriteAt(bytes.Repeat([]byte("DATA"), 128), dataAt*mib)
			return errors.Join(err, d.disk.Sync())
		},
		Remember: func() error {
			if d.disk.dark {
				return errCut
			}
			d.copies = append(d.copies, Made{Table: table.ID()})
			return nil
		},
		Progress: func(p Progress) {
			if p.Done > p.Total {
				d.Errorf("%d of %d", p.Done, p.Total)
			}
		},
	}
	return c.Run(d.Context())
}

// decided is what the machine does when it is started from the stick again.
func (d *desk) decided() Verdict {
	d.Helper()
	contents, err := storage.LookAt(d.disk, int64(len(d.disk.durable)), 512, d.stick)
	if err != nil {
		d.Fatal(err)
	}
	return Decide(Situation{
		Config: &types.Install{Disk: types.InstallDisk{Serial: nvme.Serial}}, Disks: []inspect.Disk{nvme, stick}, Copies: d.copies,
		Look: func(inspect.Disk) Target {
			return Target{Held: contents.Held, Table: contents.Table, Whole: contents.Whole}
		},
	})
}

// check wants the disk to be one that firmware starts, with all that was on the stick.
func (d *desk) check() {
	d.Helper()
	table, health, err := partitions.Read(d.disk, int64(len(d.disk.durable)), 512)
	if err != nil || !health.Good() {
		d.Fatal(err, health)
	}
	if table.ID() == d.old.ID() || table.ID() != d.filled || table.Find("coracle-data") != 4 || table.PARTUUID(1) == d.old.PARTUUID(1) {
		d.Errorf("the table is %+v", table)
	}
	same := func(what string, from, to, size int64) {
		d.Helper()
		if !bytes.Equal(d.stick.durable[from:from+size], d.disk.durable[to:to+size]) {
			d.Errorf("%s is another", what)
		}
	}
	same("boot code", 0, 0, 440)
	front := int64(table.FirstUsable) * 512
	same("what is in front of the partitions", front, front, mib-front)
	same("BOOT", mib, mib, bootMiB*mib)
	running := d.slotOf(d.stick, d.old).at
	same("the slot", running, running, imageMiB*mib)
	same("its record", running+slotMiB*mib-slot.RecordSize, running+slotMiB*mib-slot.RecordSize, slot.RecordSize)
	other := map[string]string{"a": "coracle-b", "b": "coracle-a"}[d.slot]
	idle := int64(table.Partition(table.Find(other)).First) * 512
	if !bytes.Equal(d.disk.durable[idle:idle+mib], make([]byte, mib)) {
		d.Error("the slot that does not run has something in it")
	}
	if !bytes.HasPrefix(d.disk.durable[dataAt*mib:], []byte("DATA")) {
		d.Error("DATA is not filled")
	}
}

func TestCopy(t *testing.T) {
	for _, kind := range []string{"GPT", "MBR"} {
		for _, running := range []string{"a", "b"} {
			t.Run(kind+" slot "+running, func(t *testing.T) {
				d := newDesk(t, kind, running)
				copy(d.disk.durable, noise(9, dataAt*mib)) // from an earlier use
				copy(d.disk.durable[(sizeMiB-5)*mib:], noise(8, 5*mib))
				if err := d.run(); err != nil {
					t.Fatal(err)
				}
				d.check()
				if v := d.decided(); v.Step != Done {
					t.Errorf("started from the stick again: %+v", v)
				}
			})
		}
	}
}

// The power is cut at every write. Until the last one firmware sees an empty disk; the next start from the stick begins again, and
// the one after the last leaves the disk alone.
func TestPowerCuts(t *testing.T) {
	for _, kind := range []string{"GPT", "MBR"} {
		t.Run(kind, func(t *testing.T) {
			d := newDesk(t, kind, "a")
			for cut := 0; ; cut++ {
				d.disk.cutting, d.disk.left, d.disk.lose = true, cut, rand.New(rand.NewPCG(uint64(cut), 1))
				err := d.run()
				ended := !d.disk.dark
				d.disk.cutting, d.disk.dark = false, false
				there, announcedErr := partitions.Announced(d.disk, 512)
				if announcedErr != nil {
					t.Fatal(announcedErr)
				}
				switch v := d.decided(); {
				case ended && err != nil:
					t.Fatal(err)
				case there:
					d.check()
					if v.Step != Done {
						t.Errorf("cut at write %d: installed, and it would %s: %s", cut, v.Step, v.Why)
					}
				case v.Step != Copy:
					t.Errorf("cut at write %d: it would %s: %s", cut, v.Step, v.Why)
				}
				if ended {
					if cut < 15 || !there {
						t.Errorf("a copy of %d writes", cut)
					}
					return
				}
				if there { // the last write; begin with another disk, for the one without a cut
					d.disk = newMemory(sizeMiB * mib)
				}
			}
		})
	}
}

func TestFailingDisks(t *testing.T) {
	d := newDesk(t, "GPT", "a")
	table, err := storage.TableFor(d.old, uint64(len(d.disk.durable)))
	if err != nil {
		t.Fatal(err)
	}
	c := Copier{
		Source: d.stick, Old: d.old, Slot: "a", ImageSize: imageMiB * mib, Target: forgetful{d.disk}, Size: int64(len(d.disk.durable)), New: table,
		Alone: func(do func() error) error { return do() }, Progress: func(Progress) {},
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "copy BOOT: what was written is not what is read") {
		t.Errorf("a target that forgets: %v", err)
	}
	if there, _ := partitions.Announced(d.disk, 512); there {
		t.Error("it can be started from")
	}
	c.Target = d.disk
	if err := record.Write(d.slotOf(d.stick, d.old), slotMiB*mib, record.Record{Size: imageMiB * mib, Hash: "another", Phase: record.Confirmed}); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "copy slot a: it is not what was written there") {
		t.Errorf("a source that is damaged: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after machined was told to end: %v", err)
	}
}

// forgetful is a disk that loses a sector of BOOT.
type forgetful struct{ *memory }

func (f forgetful) WriteAt(b []byte, at int64) (int, error) {
	b = bytes.Clone(b)
	if lost := int64(2*mib) - at; lost >= 0 && lost < int64(len(b)) {
		clear(b[lost : lost+512])
	}
	return f.memory.WriteAt(b, at)
}

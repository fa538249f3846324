package storage

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// Names of partitions, which in an MBR stand for their numbers; docs/architecture.md has the whole table.
const (
	slotAName = "coracle-a"
	slotBName = "coracle-b"
	dataName  = "coracle-data"
	// unmadeName is DATA's name (in an MBR: its type) until its file system is complete. When the power is cut before
	// that, the next boot sees by the name that it may, and has to, make it again.
	unmadeName = "coracle-data-new"
)

const (
	slotBNumber = 3
	dataNumber  = 4

	minData = 512 << 20 // bytes; less does not hold a cluster's state and a few container images
	minGrow = 16 << 20  // bytes; less free space behind DATA is not worth a change of the partition table
)

// layOut returns a copy of t with the partitions that first boot makes, DATA reaching to the end of the disk, and
// what it changed, for a person.
func layOut(t *partitions.Table) (*partitions.Table, []string, error) {
	t = t.Clone()
	var notes []string
	a := t.Find(slotAName)
	if a == 0 {
		return nil, nil, fmt.Errorf("it has no partition %s: write a Coracle image to it", slotAName)
	}
	if t.Find(slotBName) == 0 {
		if err := vacant(t, slotBNumber, slotBName); err != nil {
			return nil, nil, err
		}
		size := t.Partition(a).Sectors()
		free := t.Free()
		i := slices.IndexFunc(free, func(e partitions.Extent) bool { return e.Sectors() >= size })
		if i < 0 {
			return nil, nil, tooSmall(t, true)
		}
		where := partitions.Extent{First: free[i].First, Last: free[i].First + size - 1}
		if err := t.Add(slotBNumber, slotBName, t.Partition(a).Type, where); err != nil {
			return nil, nil, fmt.Errorf("make partition %s: %w", slotBName, err)
		}
		notes = append(notes, fmt.Sprintf("made partition %d (%s, %s)", slotBNumber, slotBName, bytesText(size*t.SectorSize)))
	}
	if data := dataPartition(t); data != 0 {
		p := t.Partition(data)
		for _, e := range t.Free() {
			if e.First <= p.Last+partitions.Align/t.SectorSize && e.Last > p.Last && (e.Last-p.Last)*t.SectorSize >= minGrow {
				notes = append(notes, fmt.Sprintf("partition %d (%s) grew from %s to %s", data, dataName,
					bytesText(p.Sectors()*t.SectorSize), bytesText((e.Last-p.First+1)*t.SectorSize)))
				p.Last = e.Last
				notes = append(notes, unreachable(t)...)
				break
			}
		}
		return t, notes, nil
	}
	if err := vacant(t, dataNumber, dataName); err != nil {
		return nil, nil, err
	}
	free := t.Free()
	if len(free) == 0 {
		return nil, nil, tooSmall(t, false)
	}
	where := slices.MaxFunc(free, func(a, b partitions.Extent) int { return cmp.Compare(a.Sectors(), b.Sectors()) })
	if where.Sectors()*t.SectorSize < minData {
		return nil, nil, tooSmall(t, false)
	}
	if err := t.Add(dataNumber, unmadeName, partitions.TypeLinux, where); err != nil {
		return nil, nil, fmt.Errorf("make partition %s: %w", dataName, err)
	}
	notes = append(notes, fmt.Sprintf("made partition %d (%s, %s)", dataNumber, dataName, bytesText(where.Sectors()*t.SectorSize)))
	return t, append(notes, unreachable(t)...), nil
}

// vacant is an error when somebody else has a partition where name belongs.
func vacant(t *partitions.Table, number int, name string) error {
	if err := t.Vacant(number); err != nil {
		return fmt.Errorf("make partition %s: %w; nothing was changed: remove that partition if it is not needed, or write the image to the disk again", name, err)
	}
	return nil
}

// unreachable notes that DATA cannot have all of the disk.
func unreachable(t *partitions.Table) []string {
	rest := t.Unreachable()
	if rest == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the last %s of the disk are not used: an MBR partition table, which the firmware needs, does not reach further", bytesText(rest))}
}

// dataPartition is DATA's number, its file system made or not; 0 if there is none.
func dataPartition(t *partitions.Table) int {
	if n := t.Find(dataName); n != 0 {
		return n
	}
	return t.Find(unmadeName)
}

// tooSmall says how large the disk is, and would have to be.
func tooSmall(t *partitions.Table, needB bool) error {
	end, slot := uint64(0), t.Partition(t.Find(slotAName)).Sectors()
	for _, p := range t.Partitions {
		if p.Used() {
			end = max(end, p.Last+1)
		}
	}
	need := end*t.SectorSize + minData + 2*partitions.Align // an aligned start, and the backup table
	what := fmt.Sprintf("DATA needs %s", bytesText(minData))
	if needB {
		need += slot * t.SectorSize
		what = fmt.Sprintf("slot B needs %s and %s", bytesText(slot*t.SectorSize), what)
	}
	return fmt.Errorf("it is too small: it has %s, the image takes %s of them, %s; use a disk of at least %d MiB",
		bytesText(t.Sectors*t.SectorSize), bytesText(end*t.SectorSize), what, (need+1<<20-1)>>20)
}

// bytesText is n for a person.
func bytesText(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// SlotDevice is the device of slot "a" or "b" on the disk that was booted from.
func SlotDevice(boot handover.Boot, slot string) (string, error) {
	if boot.Disk == "" {
		return "", ErrNoDisk
	}
	if slot == boot.Slot {
		return boot.SlotDevice, nil
	}
	d, err := openDisk(boot.Disk)
	if err != nil {
		return "", err
	}
	defer d.Close()
	table, _, err := partitions.Read(d, d.size, d.sector)
	if err != nil {
		return "", err
	}
	_, devices, err := kernelPartitions(boot.Disk)
	if err != nil {
		return "", err
	}
	device := devices[table.Find("coracle-"+slot)]
	if device == "" {
		return "", fmt.Errorf("disk %s has no slot %s", boot.Disk, slot)
	}
	return device, nil
}

// HasMBR is whether the disk that was booted from has an MBR, as a Raspberry Pi's has, and not a GPT.
func HasMBR(boot handover.Boot) (bool, error) {
	if boot.Disk == "" {
		return false, ErrNoDisk
	}
	d, err := openDisk(boot.Disk)
	if err != nil {
		return false, err
	}
	defer d.Close()
	table, _, err := partitions.Read(d, d.size, d.sector)
	if err != nil {
		return false, err
	}
	return !table.Named(), nil
}

package partitions

import (
	"encoding/binary"
	"math"
)

// protective is the partition type of the one entry of a protective MBR (section 5.2.3).
const protective = 0xee

// mbrEntry returns the offset of the protective entry in sector 0; ok is false when the MBR is anything but purely
// protective, a hybrid for example, which is left alone.
func mbrEntry(sector []byte) (offset int, ok bool) {
	if len(sector) < 512 || sector[510] != 0x55 || sector[511] != 0xaa {
		return 0, false
	}
	for at := 446; at < 510; at += 16 {
		switch sector[at+4] {
		case 0:
		case protective:
			if ok {
				return 0, false
			}
			offset, ok = at, true
		default:
			return 0, false
		}
	}
	return offset, ok
}

// mbrEnd is the last sector that the protective MBR covers: the disk's end when the table was written. It is 0 when
// the MBR does not say.
func mbrEnd(sector []byte) uint64 {
	at, ok := mbrEntry(sector)
	if !ok {
		return 0
	}
	start, length := binary.LittleEndian.Uint32(sector[at+8:]), binary.LittleEndian.Uint32(sector[at+12:])
	if start != 1 || length == 0 || length == math.MaxUint32 {
		return 0
	}
	return uint64(length)
}

// coverDisk makes the protective entry cover a disk of so many sectors. It changes nothing else, the boot code above
// all, and returns whether it changed anything.
func coverDisk(sector []byte, sectors uint64) bool {
	at, ok := mbrEntry(sector)
	if !ok || binary.LittleEndian.Uint32(sector[at+8:]) != 1 {
		return false
	}
	want := uint32(min(sectors-1, math.MaxUint32))
	if binary.LittleEndian.Uint32(sector[at+12:]) == want {
		return false
	}
	binary.LittleEndian.PutUint32(sector[at+12:], want)
	copy(sector[at+5:at+8], []byte{0xff, 0xff, 0xff}) // CHS of the end: out of its range
	return true
}

package dm

import "fmt"

// Corruption says what a verity device does when a block is not what the root hash says.
type Corruption string

const (
	// Fail makes the read fail with EIO.
	Fail Corruption = ""
	// Panic makes the kernel panic, which restarts the machine after the kernel argument panic=
	// seconds.
	Panic Corruption = "panic_on_corruption"
)

// Verity is a file system and the hash tree that vouches for it.
type Verity struct {
	Data          string // device of the data, as MAJOR:MINOR
	Hash          string // device with the hash tree, as MAJOR:MINOR
	DataSize      uint64 // bytes, a multiple of DataBlockSize
	DataBlockSize uint32 // bytes
	HashOffset    uint64 // start of the superblock on Hash, bytes, a multiple of HashBlockSize
	HashBlockSize uint32 // bytes
	Algorithm     string // of the hashes, the kernel's name
	RootHash      string // hex
	Salt          string // hex, may be empty
}

// Target is the table of the verity device. The superblock at HashOffset is not read: the root hash
// is only worth what the place that it comes from is worth, and that has all the other parameters too.
// The tree starts with the next block after it.
func (v Verity) Target(c Corruption) Target {
	salt := v.Salt
	if salt == "" {
		salt = "-"
	}
	params := fmt.Sprintf("1 %s %s %d %d %d %d %s %s %s", v.Data, v.Hash, v.DataBlockSize, v.HashBlockSize,
		v.DataSize/uint64(v.DataBlockSize), v.HashOffset/uint64(v.HashBlockSize)+1, v.Algorithm, v.RootHash, salt)
	if c != Fail {
		params += " 1 " + string(c)
	}
	return Target{Sectors: v.DataSize / SectorSize, Type: "verity", Params: params}
}

// Linear is the table for size bytes of a device, MAJOR:MINOR, from an offset in bytes.
func Linear(device string, offset, size uint64) Target {
	return Target{Sectors: size / SectorSize, Type: "linear", Params: fmt.Sprintf("%s %d", device, offset/SectorSize)}
}

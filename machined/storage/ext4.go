package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// superblock is what Coracle has to know of an ext4 file system (Linux, Documentation/filesystems/ext4/super.rst).
type superblock struct {
	size    uint64 // bytes of the file system
	label   string
	clean   bool // unmounted in order
	errors  bool // the kernel met errors in it
	journal bool // the journal has to be replayed: it was in use when the power went
}

// needsCheck is whether e2fsck should see the file system before it is mounted.
func (s superblock) needsCheck() bool { return !s.clean || s.errors || s.journal }

var errNoSuperblock = errors.New("there is no ext4 superblock")

const (
	superblockOffset = 1024
	superblockSize   = 1024
)

func readSuperblock(r io.ReaderAt) (superblock, error) {
	b := make([]byte, superblockSize)
	if n, err := r.ReadAt(b, superblockOffset); n < len(b) {
		return superblock{}, fmt.Errorf("read ext4 superblock: %w", err)
	}
	return parseSuperblock(b)
}

func parseSuperblock(b []byte) (superblock, error) {
	le := binary.LittleEndian
	if len(b) < superblockSize || le.Uint16(b[0x38:]) != 0xef53 {
		return superblock{}, errNoSuperblock
	}
	const (
		stateValid, stateError         = 1, 2
		incompatRecover, incompat64Bit = 0x4, 0x80
	)
	state, incompat := le.Uint16(b[0x3a:]), le.Uint32(b[0x60:])
	blocks := uint64(le.Uint32(b[0x4:]))
	if incompat&incompat64Bit != 0 {
		blocks |= uint64(le.Uint32(b[0x150:])) << 32
	}
	shift := le.Uint32(b[0x18:])
	if shift > 6 { // 64 KiB blocks are the largest
		return superblock{}, fmt.Errorf("ext4 superblock: block size 2^%d KiB", shift)
	}
	return superblock{
		size:    blocks << (10 + shift),
		label:   text(b[0x78 : 0x78+16]),
		clean:   state&stateValid != 0,
		errors:  state&stateError != 0,
		journal: incompat&incompatRecover != 0,
	}, nil
}

// mkfsArguments makes the file system of DATA on device.
//
// Features are named one by one, so that no configuration file decides. No blocks are kept for root, who owns
// everything here anyway. Inode tables and journal are not zeroed: that is up to a gigabyte of writes on the first boot;
// checksums (metadata_csum) tell their old content from ours. One inode for 32 KiB is enough for container images.
// Nothing is discarded, which takes minutes on some SD cards. A journal of 32 MiB keeps its writes on few
// blocks of flash, and serves well.
func mkfsArguments(device string) []string {
	return []string{
		"-F", "-q", "-t", "ext4", "-L", dataLabel, "-b", "4096", "-I", "256", "-i", "32768", "-m", "0", "-J", "size=32",
		"-O", "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
		device,
	}
}

const dataLabel = "CORACLE-DATA"

// Mount options of DATA. commit=30: what was not fsynced is written every 30 s and not every 5 s, as each commit costs
// some 16 kB of journal; databases sync by themselves. noinit_itable: see mkfsArguments.
// errors=remount-ro: a machine that goes on reading can still tell what happened; the next boot repairs.
const dataOptions = "commit=30,errors=remount-ro,noinit_itable"

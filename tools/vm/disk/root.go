package disk

import (
	"bytes"
	"fmt"
	"os"

	"github.com/coracle-os/coracle/images/slot"
)

// signatures of the parts of a slot, at an offset from the part's start.
var (
	squashfs = signature{0, []byte("hsqs")}
	erofs    = signature{1024, []byte{0xe2, 0xe1, 0xf5, 0xe0}}
	verity   = signature{0, []byte("verity\x00\x00")}
)

type signature struct {
	at   int64
	text []byte
}

// Root finds the root file system in slot A of the disk at path: from its superblock to that of its hash tree. Slots are
// looked at from outside here, so that tests can tell where to break one.
func Root(path string) (Range, error) {
	part, err := Partition(path, SlotA)
	if err != nil {
		return Range{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Range{}, err
	}
	defer f.Close()
	var root Range
	for at := part.Start; at < part.Start+part.Size; at += slot.Align {
		head := make([]byte, 2048)
		if _, err := f.ReadAt(head, at); err != nil {
			return Range{}, fmt.Errorf("read slot A of %s: %w", path, err)
		}
		switch {
		case root.Start == 0 && (squashfs.in(head) || erofs.in(head)):
			root.Start = at
		case root.Start != 0 && verity.in(head):
			root.Size = at - root.Start
			return root, nil
		}
	}
	return Range{}, fmt.Errorf("slot A of %s holds no root file system with a hash tree", path)
}

func (s signature) in(head []byte) bool { return bytes.HasPrefix(head[s.at:], s.text) }

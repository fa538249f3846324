package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/coracle-os/coracle/images/slot"
)

// RootOffset is where the root file system is in a slot image, in bytes.
func RootOffset(image string) (int64, error) {
	f, err := os.Open(image)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 2048)
	for at := int64(slot.Align); ; at += slot.Align {
		if _, err := f.ReadAt(head, at); err != nil {
			return 0, fmt.Errorf("slot image %s has no root file system: %w", image, err)
		}
		if squashfs.in(head) || erofs.in(head) {
			return at, nil
		}
	}
}

// ChangeSlotFile changes a file in the FAT of a slot image, where it is: it is in one piece, as the imager wrote it, and gets
// no more clusters than it has.
func ChangeSlotFile(image, name string, change func([]byte) []byte) error {
	size, err := RootOffset(image)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	region := make([]byte, size)
	if _, err := f.ReadAt(region, 0); err != nil {
		return fmt.Errorf("read slot image %s: %w", image, err)
	}
	if err := changeFile(region, name, change); err != nil {
		return fmt.Errorf("slot image %s: %w", image, err)
	}
	_, err = f.WriteAt(region, 0)
	return err
}

// changeFile changes a file in the top folder of a FAT32 (Microsoft's specification of 2000), which has a short name.
func changeFile(fat []byte, name string, change func([]byte) []byte) error {
	le := binary.LittleEndian
	sector, perCluster := int(le.Uint16(fat[11:])), int(fat[13])
	cluster := sector * perCluster
	data := sector * (int(le.Uint16(fat[14:])) + int(fat[16])*int(le.Uint32(fat[36:])))
	at := func(number uint32) int { return data + (int(number)-2)*cluster }

	stem, extension, _ := strings.Cut(strings.ToUpper(name), ".")
	short := fmt.Appendf(nil, "%-8s%-3s", stem, extension)
	folder := fat[at(le.Uint32(fat[44:])):][:cluster]
	for entry := 0; entry+32 <= len(folder); entry += 32 {
		e := folder[entry : entry+32]
		if !bytes.Equal(e[:11], short) {
			continue
		}
		begin := at(uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:])))
		length := int(le.Uint32(e[28:]))
		content := change(bytes.Clone(fat[begin : begin+length]))
		if room := (length + cluster - 1) / cluster * cluster; len(content) > room {
			return fmt.Errorf("%s has room for %d bytes, not %d", name, room, len(content))
		}
		copy(fat[begin:], content)
		le.PutUint32(e[28:], uint32(len(content)))
		return nil
	}
	return fmt.Errorf("there is no %s", name)
}

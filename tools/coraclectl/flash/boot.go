package flash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// configName is the file on BOOT that a machine imports its config from.
const configName = "machine.yaml"

// putConfig writes a machine config into the FAT32 file system of BOOT.
func putConfig(boot, config []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("put %s on the image's partition BOOT: %w", configName, err)
		}
	}()
	system, err := fat32.Read(&memory{data: boot}, int64(len(boot)), 0, sectorSize)
	if err != nil {
		return err
	}
	f, err := system.OpenFile("/"+configName, os.O_CREATE|os.O_RDWR|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(config)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return countFree(boot)
}

// countFree brings the number of free clusters in the FSInfo sector up to date, which the library leaves as it was
// (Microsoft's FAT specification 1.03, sections "FAT32 FSInfo Sector" and "FAT12/16/32 BPB").
func countFree(boot []byte) error {
	le := binary.LittleEndian
	sector, perCluster := int64(le.Uint16(boot[11:])), int64(boot[13])
	reserved, tables := int64(le.Uint16(boot[14:])), int64(boot[16])
	sectors, tableSectors := int64(le.Uint32(boot[32:])), int64(le.Uint32(boot[36:]))
	info := int64(le.Uint16(boot[48:])) * sector
	first, size := reserved*sector, tableSectors*sector
	if perCluster == 0 || first+size > int64(len(boot)) || info+sector > int64(len(boot)) || le.Uint32(boot[info:]) != 0x41615252 {
		return errors.New("its FSInfo sector is not where it should be")
	}
	const reservedEntries = 2 // of the table, which are no clusters
	clusters := min((sectors-reserved-tables*tableSectors)/perCluster, size/4-reservedEntries)
	free := uint32(0)
	for n := range clusters {
		if le.Uint32(boot[first+4*(n+reservedEntries):])&0x0fffffff == 0 {
			free++
		}
	}
	le.PutUint32(boot[info+488:], free)
	return nil
}

// memory is a disk in memory, as package diskfs wants it.
type memory struct {
	data []byte
	at   int64
}

func (m *memory) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(b, m.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(b)) > int64(len(m.data)) {
		return 0, fmt.Errorf("%d bytes at %d are outside of the partition of %d bytes", len(b), off, len(m.data))
	}
	return copy(m.data[off:], b), nil
}

func (m *memory) Read(b []byte) (int, error) {
	n, err := m.ReadAt(b, m.at)
	m.at += int64(n)
	return n, err
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	m.at = offset + map[int]int64{io.SeekStart: 0, io.SeekCurrent: m.at, io.SeekEnd: int64(len(m.data))}[whence]
	return m.at, nil
}

func (m *memory) Close() error                            { return nil }
func (m *memory) Sys() (*os.File, error)                  { return nil, backend.ErrNotSuitable }
func (m *memory) Writable() (backend.WritableFile, error) { return m, nil }
func (m *memory) Path() string                            { return "" }
func (m *memory) Stat() (fs.FileInfo, error)              { return info{m}, nil }

// info describes a disk in memory.
type info struct{ m *memory }

func (i info) Name() string     { return "BOOT" }
func (i info) Size() int64      { return int64(len(i.m.data)) }
func (info) Mode() fs.FileMode  { return 0o600 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }

package update

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// slowDisk writes as fast as a disk of that many bytes a second.
type slowDisk struct {
	partition
	rate float64
}

func (d slowDisk) WriteAt(p []byte, at int64) (int, error) {
	done := time.Now().Add(time.Duration(float64(len(p)) / d.rate * float64(time.Second)))
	n, err := d.partition.WriteAt(p, at)
	time.Sleep(time.Until(done))
	return n, err
}

// BenchmarkWriteSlot writes an image to a file past the page cache, from an artifact in memory, and the same bytes as dd does
// with oflag=direct and conv=fsync, on disks as fast as an SD card, an eMMC or a SATA disk, and on the one that is there. xdd is
// how fast the first is of the second, by the best of all rounds. CORACLE_BENCH_DIR is a folder on the disk to be measured.
func BenchmarkWriteSlot(b *testing.B) {
	const size = 128 << 20
	dir := os.Getenv("CORACLE_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	image := make([]byte, size) // a slot is compressed already
	if _, err := rand.Read(image); err != nil {
		b.Fatal(err)
	}
	var packed bytes.Buffer
	if _, err := chunks.Pack(&packed, bytes.NewReader(image)); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "slot.bench")
	defer os.Remove(path)
	if err := os.WriteFile(path, image, 0o600); err != nil {
		b.Fatal(err)
	}
	real, _, err := direct.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer real.Close()
	for _, disk := range []struct {
		name string
		p    partition
	}{{"SD 40MBps", slowDisk{real, 40e6}}, {"eMMC 150MBps", slowDisk{real, 150e6}}, {"SATA 300MBps", slowDisk{real, 300e6}}, {"as it is", real}} {
		b.Run(disk.name, func(b *testing.B) {
			b.SetBytes(size)
			dd, slot := time.Hour, time.Hour
			for b.Loop() {
				dd = min(dd, timed(b, disk.p, func() error { return copyPlain(disk.p, image) }))
				slot = min(slot, timed(b, disk.p, func() error {
					z, err := unpack(bytes.NewReader(packed.Bytes()))
					if err != nil {
						return err
					}
					defer z.Close()
					_, err = direct.Copy(b.Context(), disk.p, z, size, func(uint64) {})
					return err
				}))
			}
			b.ReportMetric(size/dd.Seconds()/1e6, "dd-MB/s")
			b.ReportMetric(size/slot.Seconds()/1e6, "slot-MB/s")
			b.ReportMetric(dd.Seconds()/slot.Seconds(), "xdd")
		})
	}
}

// timed is how long it takes until what is written is on the disk.
func timed(b *testing.B, p partition, write func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := write(); err != nil {
		b.Fatal(err)
	}
	if err := p.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// copyPlain writes what is in memory, and does nothing else.
func copyPlain(p io.WriterAt, content []byte) error {
	block, err := direct.NewBlock(direct.BlockSize)
	if err != nil {
		return err
	}
	defer block.Free()
	for at := 0; at < len(content); at += direct.BlockSize {
		copy(block, content[at:])
		if _, err := p.WriteAt(block, int64(at)); err != nil {
			return err
		}
	}
	return nil
}

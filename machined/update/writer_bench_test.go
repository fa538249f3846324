package update

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/chunks"
)

// BenchmarkWriteSlot writes an image to a file past the page cache, from an artifact in memory, and the same bytes as dd does
// with oflag=direct and conv=fsync. xdd is how fast the first is of the second, by the best of all rounds. CORACLE_BENCH_DIR
// is a folder on the disk to be measured; where it is in memory the numbers mean nothing.
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
	p, _, err := openPartition(path)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	timed := func(write func() error) time.Duration {
		began := time.Now()
		if err := write(); err != nil {
			b.Fatal(err)
		}
		if err := p.Sync(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	best := [2]time.Duration{time.Hour, time.Hour}
	b.SetBytes(size)
	for b.Loop() {
		best[0] = min(best[0], timed(func() error {
			block, err := newBlock(blockSize)
			if err != nil {
				return err
			}
			defer block.free()
			for at := 0; at < size; at += blockSize {
				copy(block, image[at:])
				if _, err := p.WriteAt(block, int64(at)); err != nil {
					return err
				}
			}
			return nil
		}))
		best[1] = min(best[1], timed(func() error {
			z, err := unpack(bytes.NewReader(packed.Bytes()))
			if err != nil {
				return err
			}
			defer z.Close()
			_, err = copyBlocks(b.Context(), p, z, size, func(uint64) {})
			return err
		}))
	}
	b.ReportMetric(float64(size)/best[0].Seconds()/1e6, "dd-MB/s")
	b.ReportMetric(float64(size)/best[1].Seconds()/1e6, "slot-MB/s")
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "xdd")
}

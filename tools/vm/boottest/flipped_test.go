package boottest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// corrupted is what the kernel says of a block that is not what the root hash stands for.
var corrupted = regexp.MustCompile(`device-mapper: verity: .*(data|metadata) block \d+ is corrupted`)

// TestFlippedBit changes one bit of the root, as failing flash or an attacker does, and sees that the machine does not run
// on it.
func TestFlippedBit(t *testing.T) {
	for _, c := range []struct {
		name string
		// at chooses the byte, given where the root is on the disk.
		at func(l *lab, root disk.Range) int64
		// refusal is what tells a person at the console.
		refusal *regexp.Regexp
	}{
		{
			"superblock", func(_ *lab, root disk.Range) int64 { return root.Start + 200 },
			regexp.MustCompile(`init: CANNOT START: .*|init: .*not what root hash [0-9a-f]{64} stands for`),
		},
		{
			"running program", kubeData,
			regexp.MustCompile(`Kernel panic - not syncing: dm-verity device corrupted`),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			serverLab(t, func(l *lab) {
				root, err := disk.Root(l.dev.Disk())
				if err != nil {
					l.Fatal(err)
				}
				if err := disk.FlipBit(l.dev.Disk(), c.at(l, root)); err != nil {
					l.Fatal(err)
				}
				l.boot(l.standard())
				l.refuses(corrupted, c.refusal)
			})
		})
	}
}

// refuses checks that the machine prints both lines and restarts, without having run.
func (l *lab) refuses(lines ...*regexp.Regexp) {
	l.Helper()
	for _, say := range lines {
		if _, err := l.machine.Console.Wait(l.within(readyWithin), say); err != nil {
			l.Fatal(err)
		}
	}
	select {
	case <-l.machine.Ended():
	case <-l.within(workWithin).Done():
		l.Fatal("the machine stays where it is instead of restarting")
	}
	if err := l.machine.Err(); !errors.Is(err, machine.ErrRebooted) {
		l.Errorf("the machine ended because %v, want a restart", err)
	}
	for _, m := range l.machine.Console.Milestones() {
		if m.Name == "node-ready" {
			l.Error("the machine ran on a damaged root")
		}
	}
}

// kubeData finds a byte in the middle of the biggest program, which is sure to be read: the Go runtime's collector scans
// the whole of a program's .data soon after it starts. squashfs compresses a file block by block, each a zstd frame, one
// after the other; the first of kube's blocks is recognised by its content.
func kubeData(l *lab, root disk.Range) int64 {
	l.Helper()
	kube, err := os.ReadFile(filepath.Join(out(), "work", l.arch, "bin", "usr", "bin", "kube"))
	if err != nil {
		l.Fatal(err)
	}
	program, err := elf.NewFile(bytes.NewReader(kube))
	if err != nil {
		l.Fatal(err)
	}
	data := program.Section(".data")
	if data == nil {
		l.Fatal("kube has no .data")
	}
	f, err := os.Open(l.dev.Disk())
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	squash, err := io.ReadAll(io.NewSectionReader(f, root.Start, root.Size))
	if err != nil {
		l.Fatal(err)
	}
	if !bytes.HasPrefix(squash, []byte("hsqs")) {
		l.Fatal("the root is not squashfs: this test does not know where its files are")
	}
	blockSize := int(binary.LittleEndian.Uint32(squash[12:]))
	block := (int(data.Offset) + int(data.FileSize)/2) / blockSize
	start, size, err := findBlock(squash, kube, blockSize, block)
	if err != nil {
		l.Fatal(err)
	}
	if size == 0 {
		l.Fatal("the middle of kube's .data is a hole")
	}
	l.Logf("kube's block %d is at byte %d of the root, %d bytes compressed", block, start, size)
	return root.Start + int64(start+size/2)
}

// findBlock returns where block n of the file with that content is in a squashfs.
func findBlock(squash, content []byte, blockSize, n int) (start, size int, err error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	block := func(i int) []byte { return content[i*blockSize : min(len(content), (i+1)*blockSize)] }
	at, err := findFrame(d, squash, block(0))
	if err != nil {
		return 0, 0, err
	}
	for i := 0; ; i++ {
		plain := block(i)
		switch length, unpacked := frame(d, squash[at:], blockSize); {
		case len(bytes.Trim(plain, "\x00")) == 0:
			size = 0 // a hole, of which nothing is stored
		case length > 0 && bytes.Equal(unpacked, plain):
			size = length
		case bytes.HasPrefix(squash[at:], plain):
			size = len(plain) // stored as it is, because packing did not make it smaller
		default:
			return 0, 0, fmt.Errorf("block %d of the file does not follow the one before it", i)
		}
		if i == n {
			return at, size, nil
		}
		at += size
	}
}

// findFrame returns where the zstd frame is that holds plain.
func findFrame(d *zstd.Decoder, squash, plain []byte) (int, error) {
	for at := 0; ; {
		next := bytes.Index(squash[at:], zstdMagic)
		if next < 0 {
			return 0, errors.New("the file is not in the root file system")
		}
		at += next
		length, unpacked := frame(d, squash[at:], len(plain))
		if length > 0 && bytes.Equal(unpacked, plain) {
			return at, nil
		}
		at += max(1, length) // 1 where the magic number came by chance
	}
}

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// frame returns the length of the zstd frame at the start of b, and what is in it. The length is 0 when there is none. A
// frame has no length of its own; its blocks have (RFC 8878, 3.1.1).
func frame(d *zstd.Decoder, b []byte, limit int) (length int, plain []byte) {
	var h zstd.Header
	if h.Decode(b[:min(len(b), zstd.HeaderMaxSize)]) != nil || h.Skippable {
		return 0, nil
	}
	at := h.HeaderSize
	for last := false; !last; {
		if at+3 > len(b) {
			return 0, nil
		}
		header := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
		last = header&1 == 1
		size := header >> 3
		if header>>1&3 == 1 { // one byte that is repeated
			size = 1
		}
		at += 3 + size
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > len(b) {
		return 0, nil
	}
	plain, err := d.DecodeAll(b[:at], make([]byte, 0, limit))
	if err != nil {
		return 0, nil
	}
	return at, plain
}

func TestFindBlock(t *testing.T) {
	const blockSize = 4096
	file := make([]byte, 5*blockSize+100)
	for i := range file {
		file[i] = byte(1 + i/7*(i/blockSize))
	}
	clear(file[blockSize : 2*blockSize])                              // a hole
	rand.NewChaCha8([32]byte{}).Read(file[2*blockSize : 3*blockSize]) // cannot be packed
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	squash := append([]byte("hsqs, a superblock, and by chance "), zstdMagic...)
	var starts []int
	for i := 0; i < len(file); i += blockSize {
		starts = append(starts, len(squash))
		switch block := file[i:min(len(file), i+blockSize)]; i / blockSize {
		case 1:
		case 2:
			squash = append(squash, block...)
		default:
			squash = w.EncodeAll(block, squash)
		}
	}
	for n, want := range starts {
		start, size, err := findBlock(squash, file, blockSize, n)
		if err != nil || start != want || start+size > len(squash) {
			t.Errorf("block %d: %d (%d bytes), %v; want %d", n, start, size, err, want)
		}
	}
	if _, _, err := findBlock(squash, append([]byte("another"), file...), blockSize, 0); err == nil {
		t.Error("found a file that is not there")
	}
}

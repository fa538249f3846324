package chunks

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// noise is content that does not compress, the same for the same seed.
func noise(seed uint64, size int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, size)
	r.Read(b)
	return b
}

func TestPackUnpacks(t *testing.T) {
	image := append(append(noise(1, 1<<20), make([]byte, 1<<20)...), noise(2, 12345)...)
	var packed, again bytes.Buffer
	index, err := Pack(&packed, bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(&again, bytes.NewReader(image)); err != nil || !bytes.Equal(packed.Bytes(), again.Bytes()) {
		t.Errorf("packed twice it differs (%v)", err)
	}
	size, frames := index.Totals()
	if size != uint64(len(image)) || frames != uint64(packed.Len()) {
		t.Errorf("index of %d bytes, packed %d; want %d and %d", size, frames, len(image), packed.Len())
	}
	z, err := zstd.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, image) {
		t.Errorf("unpacked it is %d bytes (%v), want the image of %d", len(got), err, len(image))
	}
}

// What is inserted changes the chunks around it, and no others.
func TestSplitFindsItsPlaceAgain(t *testing.T) {
	one := noise(1, 4<<20)
	other := append(append(append([]byte{}, one[:2<<20]...), "inserted"...), one[2<<20:]...)
	known := map[Hash]bool{}
	each := func(b []byte, do func([]byte)) {
		if err := Split(bytes.NewReader(b), func(c []byte) error { do(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	each(one, func(c []byte) { known[Sum(c)] = true })
	fresh, total := 0, 0
	each(other, func(c []byte) {
		total += len(c)
		if !known[Sum(c)] {
			fresh += len(c)
		}
	})
	if total != len(other) || fresh == 0 || fresh > 3*Largest {
		t.Errorf("%d of %d bytes are in chunks that are new", fresh, total)
	}
}

// Machines of all versions must cut in the same places, or an upgrade fetches everything.
func TestSplitIsTheFormat(t *testing.T) {
	var sizes []int
	err := Split(bytes.NewReader(append(noise(1, 256<<10), make([]byte, 20<<10)...)), func(c []byte) error {
		sizes = append(sizes, len(c))
		return nil
	})
	if want := []int{10934, 105782, 12512, 24634, 91779, 14929, 8192, 8192, 5670}; err != nil || !slices.Equal(sizes, want) {
		t.Errorf("chunks of %d bytes, %v; want %d", sizes, err, want)
	}
}

func TestSplitStops(t *testing.T) {
	full := errors.New("no space left on device")
	if err := Split(bytes.NewReader(noise(1, 1<<20)), func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	broken := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(noise(1, 1<<20))))
	if err := Split(broken, func([]byte) error { return nil }); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a read that fails: error %v", err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("x"), 70000)
	f.Add([]byte{0}, 1)
	f.Fuzz(func(t *testing.T, b []byte, times int) {
		if len(b) == 0 {
			return
		}
		image := bytes.Repeat(b, min(max(times, 1), 1<<20/len(b)+1))
		var again []byte
		var last int
		err := Split(bytes.NewReader(image), func(c []byte) error {
			if len(c) == 0 || len(c) > Largest || last != 0 && last < smallest {
				t.Errorf("a chunk of %d bytes behind one of %d", len(c), last)
			}
			again, last = append(again, c...), len(c)
			return nil
		})
		if err != nil || !bytes.Equal(again, image) {
			t.Errorf("the chunks are not the image (%v)", err)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	good, err := Index{{Size: 1, Packed: 1}}.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"nothing":    func([]byte) []byte { return nil },
		"magic":      func(b []byte) []byte { b[0] = 'X'; return b },
		"torn":       func(b []byte) []byte { return b[:len(b)-1] },
		"empty":      func(b []byte) []byte { copy(b[len(b)-8:], []byte{0, 0, 0, 0}); return b },
		"too large":  func(b []byte) []byte { b[len(b)-8] = 1; return b },
		"inflated":   func(b []byte) []byte { b[len(b)-4] = 1; return b },
		"not packed": func(b []byte) []byte { copy(b[len(b)-4:], []byte{0, 0, 0, 0}); return b },
	} {
		if _, err := Parse(change(bytes.Clone(good))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if x, err := Parse(good); err != nil || len(x) != 1 {
		t.Errorf("a good one: %v, %v", x, err)
	}
}

func FuzzParse(f *testing.F) {
	good, _ := Index{{Size: 1, Packed: 2}, {Size: Largest, Packed: 3}}.MarshalBinary()
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := x.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("read and written again it is another (%v)", err)
		}
	})
}

// TestShare says what is new in one image for a machine that has another: CORACLE_SLOTS=OLD,NEW names two slot images.
func TestShare(t *testing.T) {
	names := os.Getenv("CORACLE_SLOTS")
	if names == "" {
		t.Skip("CORACLE_SLOTS=OLD,NEW names two slot images to compare")
	}
	known, old, fresh, total, chunks := map[Hash]bool{}, true, 0, 0, 0
	for _, name := range bytes.Split([]byte(names), []byte{','}) {
		f, err := os.Open(string(name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		err = Split(f, func(c []byte) error {
			h := Sum(c)
			if !old {
				chunks, total = chunks+1, total+len(c)
				if !known[h] {
					fresh += len(c)
				}
			}
			known[h] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		old = false
	}
	t.Logf("%d of %d bytes are new, %.1f %%; %d chunks", fresh, total, float64(fresh)*100/float64(total), chunks)
}

func TestPolynomial(t *testing.T) {
	if !polynomial.Irreducible() {
		t.Errorf("%v is not irreducible", polynomial)
	}
}

package update

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/coracle-os/coracle/images/slot"
)

// An upgrade needs the same memory whatever the size of the slot.
func TestMemory(t *testing.T) {
	const size, most = 24 * slot.Align, 6 << 20
	b := newBench(t)
	image := noise(2, size)
	m := b.artifact("1.1.0", image)
	for _, name := range []string{"a", "b"} {
		if err := os.Truncate(b.device(name), size+slot.Align); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "coracle.slot")
	if err := os.WriteFile(path, m.file, 0o600); err != nil {
		t.Fatal(err)
	}
	m, image = made{}, nil
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as machined has it

	u, _ := b.started("a", "1.0.0", false)
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runtime.GC()
	before, peak := heap(), uint64(0)
	_, err = u.Install(t.Context(), Stream{io.Reader(f)}, Options{Stage: true}, func(Progress) { peak = max(peak, heap()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB more on the heap", (max(peak, before)-before)>>10)
	if peak > before+most {
		t.Errorf("%d MiB more on the heap for a slot of %d MiB", (peak-before)>>20, size>>20)
	}
}

package dm

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	v := Verity{
		Data: "253:0", Hash: "254:2", DataSize: 8 << 20, DataBlockSize: 4096,
		HashOffset: 16 << 20, HashBlockSize: 4096, Algorithm: "sha256", RootHash: strings.Repeat("ab", 32), Salt: "00ff",
	}
	root := strings.Repeat("ab", 32)
	for name, test := range map[string]struct{ got, want Target }{
		"linear":      {Linear("254:2", 1<<20, 2<<20), Target{4096, "linear", "254:2 2048"}},
		"verity":      {v.Target(Fail), Target{16384, "verity", "1 253:0 254:2 4096 4096 2048 4097 sha256 " + root + " 00ff"}},
		"panic":       {v.Target(Panic), Target{16384, "verity", "1 253:0 254:2 4096 4096 2048 4097 sha256 " + root + " 00ff 1 panic_on_corruption"}},
		"without any": {func() Target { w := v; w.Salt = ""; return w.Target(Fail) }(), Target{16384, "verity", "1 253:0 254:2 4096 4096 2048 4097 sha256 " + root + " -"}},
	} {
		if test.got != test.want {
			t.Errorf("%s: %+v, want %+v", name, test.got, test.want)
		}
	}
}

// TestLayout holds what goes to the kernel against the sizes in linux/dm-ioctl.h.
func TestLayout(t *testing.T) {
	if headerSize != 312 {
		t.Errorf("struct dm_ioctl has %d bytes, want 312", headerSize)
	}
	got := Target{Sectors: 0x10, Type: "linear", Params: "8:1 0"}.encode()
	if len(got) != 48 || !strings.HasPrefix(string(got[24:]), "linear\x00") || string(got[40:46]) != "8:1 0\x00" {
		t.Errorf("target is encoded as\n%s", hex.Dump(got))
	}
}

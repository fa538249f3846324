package slot

import (
	"encoding/json"
	"strings"
	"testing"
)

var hash = strings.Repeat("ab", 32)

func TestParseLayoutRefuses(t *testing.T) {
	good := Layout{RootOffset: Align, RootSize: 8192, HashOffset: 2 * Align, HashAlgorithm: "blake2b-256", RootHash: hash, DataBlockSize: 4096, HashBlockSize: 4096}
	for name, change := range map[string]func(*Layout){
		"":                    func(*Layout) {},
		"block size":          func(l *Layout) { l.DataBlockSize = 0 },
		"rootSize":            func(l *Layout) { l.RootSize = 5000 },
		"offsets":             func(l *Layout) { l.RootOffset = 512 },
		"above":               func(l *Layout) { l.RootSize = 1<<63 + 1<<62; l.RootOffset = 1 << 63 },
		"overlaps":            func(l *Layout) { l.RootSize = 4096 << 10 },
		"hashAlgorithm":       func(l *Layout) { l.HashAlgorithm = "sha1" },
		"rootHash has 2 hex ": func(l *Layout) { l.RootHash = "ab" },
	} {
		l := good
		change(&l)
		text, _ := json.Marshal(l)
		_, err := ParseLayout(text)
		if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestParseLayoutTakesEachAlgorithm(t *testing.T) {
	for _, algorithm := range HashAlgorithms {
		text, _ := json.Marshal(Layout{RootOffset: Align, RootSize: 8192, HashOffset: 2 * Align, HashAlgorithm: algorithm, RootHash: hash, DataBlockSize: 4096, HashBlockSize: 4096})
		if _, err := ParseLayout(text); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"rootOffset":1048576,"rootSize":4096,"hashOffset":2097152,"dataBlockSize":4096,"hashBlockSize":4096}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLayout(b); err == nil && l.HashOffset < l.RootOffset+l.RootSize {
			t.Errorf("accepted overlapping parts: %+v", l)
		}
	})
}

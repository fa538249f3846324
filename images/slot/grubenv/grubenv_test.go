package grubenv

import (
	"bytes"
	"strings"
	"testing"
)

func TestBlockAndParse(t *testing.T) {
	state := State{Active: "a", Tried: "b"}
	block, err := state.Block()
	if err != nil {
		t.Fatal(err)
	}
	if want := "# GRUB Environment Block\nactive=a\nfailed=\ntried=b\ntry=\n#"; !bytes.HasPrefix(block, []byte(want)) {
		t.Errorf("block starts with %q, want %q", block[:len(want)], want)
	}
	if len(block) != Size || len(bytes.Trim(block[Sector:], "#")) != 0 {
		t.Errorf("block has %d bytes, or variables beyond the first sector", len(block))
	}
	if got, err := Parse(block); err != nil || got != state {
		t.Errorf("parsed %v, %v; want %v", got, err, state)
	}
}

func TestBlockRefuses(t *testing.T) {
	for name, state := range map[string]State{
		"newline":  {Active: "b\nc"},
		"space":    {Try: "b c"},
		"too much": {Tried: strings.Repeat("x", Sector)},
	} {
		if _, err := state.Block(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, block := range map[string][]byte{
		"empty":   nil,
		"zeroes":  make([]byte, Size),
		"ones":    bytes.Repeat([]byte{0xff}, Size),
		"garbage": bytes.Repeat([]byte{0xa5}, Size),
		"short":   []byte(signature),
	} {
		if s, err := Parse(block); err == nil || s.Valid() {
			t.Errorf("%s: %v, no error", name, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	block, _ := State{Active: "b"}.Block()
	f.Add(block)
	f.Add(bytes.Repeat([]byte{'#'}, Size))
	f.Fuzz(func(t *testing.T, block []byte) {
		s, err := Parse(block)
		if err != nil {
			return
		}
		// What can be written again must read the same.
		again, err := s.Block()
		if err != nil {
			return
		}
		if got, err := Parse(again); err != nil || got != s {
			t.Errorf("parsed %v, formatted and parsed again %v, %v", s, got, err)
		}
	})
}

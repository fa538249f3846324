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

// What a damaged block says is what GRUB reads in it.
func TestParseAsGRUB(t *testing.T) {
	for _, c := range []struct {
		name, block string
		want        State
	}{
		{"another size", "active=b\n", State{Active: "b"}},
		{"the last of two counts", "active=a\nactive=b\n", State{Active: "b"}},
		{"comments between", "#active=a\nactive=b\n#try=a\n", State{Active: "b"}},
		{"a comment that is continued", "# \\\nactive=a\ntry=b\n", State{Try: "b"}},
		{"escaped characters", "active=\\b\ntry=x\\\ny\n", State{Active: "b", Try: "x\ny"}},
		{"a line without a value belongs to the next name", "damage\nactive=b\ntry=a\n", State{Try: "a"}},
		{"a value that is cut off", "active=b\ntry=a", State{Active: "b"}},
		{"a value that ends in an escape", "active=b\ntry=a\\", State{Active: "b"}},
		{"zeros in a value", "active=b\x00\x00\ntry=a\n", State{Active: "b", Try: "a"}},
		{"only the start of a name", "acti", State{}},
	} {
		if got, err := Parse([]byte(signature + c.block)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
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
	f.Add([]byte(signature + "active=\\\\\ntry=\\"))
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

package grubenv

import (
	"bytes"
	"maps"
	"strings"
	"testing"
)

func TestFormatAndParse(t *testing.T) {
	vars := map[string]string{Active: "a", Try: "", Tried: "b"}
	block, err := Format(vars)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# GRUB Environment Block\nactive=a\ntried=b\ntry=\n#"; !bytes.HasPrefix(block, []byte(want)) {
		t.Errorf("block starts with %q, want %q", block[:len(want)], want)
	}
	if len(block) != Size || len(bytes.Trim(block[Sector:], "#")) != 0 {
		t.Errorf("block has %d bytes, or variables beyond the first sector", len(block))
	}
	got, err := Parse(block)
	if err != nil || !maps.Equal(got, vars) {
		t.Errorf("parsed %v, %v; want %v", got, err, vars)
	}
}

func TestFormatRefuses(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"newline":  {"a": "b\nc"},
		"space":    {"a": "b c"},
		"no name":  {"": "b"},
		"too much": {"a": strings.Repeat("x", Sector)},
	} {
		if _, err := Format(vars); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, block := range map[string][]byte{
		"empty":   nil,
		"zeroes":  make([]byte, Size),
		"garbage": bytes.Repeat([]byte{0xa5}, Size),
		"short":   []byte(signature),
	} {
		if _, err := Parse(block); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	block, _ := Format(map[string]string{Active: "b"})
	f.Add(block)
	f.Add(bytes.Repeat([]byte{'#'}, Size))
	f.Fuzz(func(t *testing.T, block []byte) {
		vars, err := Parse(block)
		if err != nil {
			return
		}
		// What can be written again must read the same.
		again, err := Format(vars)
		if err != nil {
			return
		}
		if got, err := Parse(again); err != nil || !maps.Equal(got, vars) {
			t.Errorf("parsed %v, formatted and parsed again %v, %v", vars, got, err)
		}
	})
}

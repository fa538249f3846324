package types

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"500MB": 500e6, "32GB": 32e9, "32GiB": 32 << 30, "2 TB": 2e12, "1TiB": 1 << 40, "64MiB": 64 << 20,
		"": 0, "0GB": 0, "32": 0, "32G": 0, "1.5TB": 0, "-1GB": 0, "99999999TB": 0, "GB": 0, "32gb": 0,
	} {
		var got Size
		err := got.UnmarshalText([]byte(text))
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(got.String())); want != 0 && (err != nil || again != got) {
			t.Errorf("%q is written as %q, which is %d, %v", text, got, again, err)
		}
	}
}

package token

import (
	"strings"
	"testing"
)

var hash = strings.Repeat("0123456789abcdef", 4)

func TestParse(t *testing.T) {
	good := version + "." + hash + ".abc123.0123456789abcdef"
	got, err := Parse(good)
	if err != nil || got != (Token{hash, "abc123", "0123456789abcdef"}) || got.String() != good || got.Bootstrap() != "abc123.0123456789abcdef" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, tc := range map[string]struct{ in, want string }{
		"empty":                {"", "begins with coracle1."},
		"of another program":   {"K10abc::server:x", "begins with coracle1."},
		"of Kubernetes":        {"abc123.0123456789abcdef", "hash of the cluster"},
		"a later form":         {"coracle2." + hash + ".abc123.0123456789abcdef", "begins with coracle1."},
		"cut off":              {version + "." + hash + ".abc123", "has 3: is it whole?"},
		"cut off in the end":   {strings.TrimSuffix(good, "f"), "the fourth part of a join token has 16 characters, and here it has 15"},
		"a hash cut off":       {version + "." + hash[1:] + ".abc123.0123456789abcdef", "second part of a join token has 64"},
		"an upper-case hash":   {version + "." + strings.ToUpper(hash) + ".abc123.0123456789abcdef", "hex digits"},
		"an upper-case ID":     {version + "." + hash + ".ABC123.0123456789abcdef", "third part"},
		"a space":              {good + " ", "fourth part"},
		"a line end in it":     {version + "." + hash + ".abc123.012345678\nabcdef", "fourth part"},
		"too much of a secret": {good + ".more", "has 5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "0123456789abcde") {
				t.Errorf("shows the secret: %v", err)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		made, err := Generate(hash)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse(made.String()); err != nil || again != made || !IsID(made.ID) {
			t.Fatalf("%v made, %v, %v read", made, again, err)
		}
		if seen[made.ID] || seen[made.Secret] {
			t.Fatal("the same twice")
		}
		seen[made.ID], seen[made.Secret] = true, true
	}
}

func FuzzParse(f *testing.F) {
	f.Add(version + "." + hash + ".abc123.0123456789abcdef")
	f.Add("abc123.0123456789abcdef")
	f.Add("....")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := Parse(text); err == nil && got.String() != text {
			t.Errorf("%q was read as %q", text, got)
		}
	})
}

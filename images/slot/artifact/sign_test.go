package artifact

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/keys"
)

// signer is the same key for the same seed.
func signer(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))
}

func TestVerify(t *testing.T) {
	manifest := []byte(`{"version": "1.2.3"}`)
	vendor, owner, stranger := signer(1), signer(2), signer(3)
	trusted := []keys.PublicKey{keys.Public(vendor), keys.Public(owner)}
	sign := func(who ...ed25519.PrivateKey) string {
		lines := ""
		for _, key := range who {
			lines += string(Sign(manifest, key))
		}
		return lines
	}
	ofAnother := string(Sign([]byte(`{"version": "6.6.6"}`), vendor))
	plain := keys.Public(vendor).String() + " " + strings.Fields(sign(vendor))[1]
	for name, tc := range map[string]struct {
		signatures string
		by         ed25519.PrivateKey // nil: refused
		err        error
		says       string
	}{
		"one who is trusted":             {signatures: sign(owner), by: owner},
		"a stranger before":              {signatures: sign(stranger, vendor), by: vendor},
		"a stranger behind":              {signatures: sign(vendor, stranger), by: vendor},
		"twice the same":                 {signatures: sign(vendor, vendor), by: vendor},
		"empty lines and Windows' ends":  {signatures: "\r\n" + strings.ReplaceAll(sign(vendor), "\n", "\r\n") + "\n", by: vendor},
		"no end of the line":             {signatures: plain, by: vendor},
		"a kind of key of later":         {signatures: "mldsa65:AAAA BBBB\n" + sign(vendor), by: vendor},
		"nobody":                         {err: ErrUnsigned, says: "imager sign"},
		"lines without anything":         {signatures: "\n \n", err: ErrUnsigned},
		"many strangers":                 {signatures: sign(slices.Repeat([]ed25519.PrivateKey{stranger}, 9)...), err: ErrStranger, says: "5 more"},
		"a stranger":                     {signatures: sign(stranger), err: ErrStranger, says: keys.Public(stranger).Fingerprint()},
		"only a kind of key of later":    {signatures: "mldsa65:AAAA BBBB\n", err: ErrStranger, says: "does not know"},
		"another manifest":               {signatures: ofAnother, err: ErrBadSignature, says: keys.Public(vendor).Fingerprint()},
		"a bad one beside a good one":    {signatures: sign(owner) + ofAnother, err: ErrBadSignature},
		"somebody else's signature":      {signatures: keys.Public(vendor).String() + " " + strings.Fields(sign(stranger))[1], err: ErrBadSignature},
		"half a signature":               {signatures: plain[:len(plain)-8], err: ErrBadSignature},
		"no signature behind the key":    {signatures: keys.Public(vendor).String(), err: ErrBadSignature, says: "1 words"},
		"a word too many":                {signatures: plain + " yes", err: ErrBadSignature, says: "3 words"},
		"a key that is none":             {signatures: "ed25519:AAAA " + strings.Fields(plain)[1], err: ErrBadSignature},
		"bytes that are no text":         {signatures: "\x00\xff\xfe \x01", err: ErrBadSignature},
		"the signature of another thing": {signatures: string(signedElsewhere(manifest, vendor)), err: ErrBadSignature},
	} {
		by, err := Verify(manifest, []byte(tc.signatures), trusted)
		switch {
		case tc.by != nil && (err != nil || by != keys.Public(tc.by)):
			t.Errorf("%s: by %s, %v", name, by.Fingerprint(), err)
		case tc.by == nil && (!errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says) || !by.IsZero()):
			t.Errorf("%s: by %v, error %v; want %v with %q", name, by, err, tc.err, tc.says)
		}
	}
}

// signedElsewhere is a signature of the bytes alone, as another program might make it with the same key.
func signedElsewhere(manifest []byte, key ed25519.PrivateKey) []byte {
	line := strings.Fields(string(Sign(manifest, key)))[0] + " "
	return append([]byte(line), base64.StdEncoding.EncodeToString(ed25519.Sign(key, manifest))...)
}

func TestSignIsTheFormat(t *testing.T) {
	line := string(Sign([]byte("m"), signer(1)))
	key, signature, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	public, err := keys.Parse(key)
	if err != nil || !strings.HasSuffix(line, "\n") {
		t.Fatalf("line %q, %v", line, err)
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !ed25519.Verify(public[:], []byte("coracle slot v1\nm"), raw) {
		t.Errorf("%q does not sign what docs/upgrades.md says (%v)", line, err)
	}
}

func TestReadKeys(t *testing.T) {
	one, two := keys.Public(signer(1)), keys.Public(signer(2))
	for name, tc := range map[string]struct {
		text string
		want []keys.PublicKey
		err  string // in the error
	}{
		"nothing":             {"", nil, ""},
		"comments":            {"# " + one.String() + "\n\n  # nobody\n", nil, ""},
		"keys with names":     {one.String() + " our releases # since 2026\n" + two.String() + "\tdevelopment", []keys.PublicKey{one, two}, ""},
		"from Windows":        {one.String() + "\r\n" + two.String() + " x\r\n", []keys.PublicKey{one, two}, ""},
		"the name first":      {"# keys\nreleases " + one.String() + "\n", nil, "trusted-keys:2"},
		"a torn key":          {one.String()[:20], nil, "trusted-keys:1"},
		"a key that is zeros": {keys.PublicKey{}.String(), nil, "trusted-keys:1"},
	} {
		file := filepath.Join(t.TempDir(), "trusted-keys")
		if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKeys(file)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: keys %v, %v", name, got, err)
		}
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add("# who\n" + keys.Public(signer(1)).String() + " name\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseKeys("f", []byte(text))
		if err == nil && len(list) > strings.Count(text, "ed25519:") || err != nil && list != nil {
			t.Errorf("%d keys, %v", len(list), err)
		}
	})
}

// Whatever the signatures are, nobody is trusted who did not sign.
func FuzzVerify(f *testing.F) {
	manifest := []byte("{}")
	vendor := signer(1)
	line := string(Sign(manifest, vendor))
	for _, seed := range []string{"", line, string(Sign(manifest, signer(2))), keys.Public(vendor).String() + " AAAA", "x:y z\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, signatures []byte) {
		by, err := Verify(manifest, signatures, []keys.PublicKey{keys.Public(vendor)})
		if err == nil && (by != keys.Public(vendor) || !strings.Contains(string(signatures), strings.TrimSpace(strings.Fields(line)[1]))) {
			t.Errorf("%q is by %s", signatures, by)
		}
		if err != nil && !by.IsZero() {
			t.Errorf("by %s with error %v", by, err)
		}
	})
}

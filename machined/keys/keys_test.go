package keys

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const good = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for name, tc := range map[string]struct{ in, problem string }{
		"good":            {good, ""},
		"no prefix":       {strings.TrimPrefix(good, "ed25519:"), "starts with"},
		"ssh key":         {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "starts with"},
		"not base64":      {"ed25519:***", "comes base64"},
		"no padding":      {strings.TrimSuffix(good, "="), "comes base64"},
		"too short":       {"ed25519:AAEC", "3 bytes"},
		"empty":           {"", "starts with"},
		"bits after data": {strings.Replace(good, "Hh8=", "Hh9=", 1), "comes base64"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := Parse(tc.in)
			switch {
			case tc.problem == "" && err != nil:
				t.Error(err)
			case tc.problem == "" && k.String() != tc.in:
				t.Errorf("%s became %s", tc.in, k)
			case tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)):
				t.Errorf("error %v, want one with %q", err, tc.problem)
			}
		})
	}
	k, _ := Parse(good)
	// The 32 bytes 0 to 31 through sha256sum and base64.
	if got, want := k.Fingerprint(), "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"; got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
}

func TestLoadOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "machine.key")
	first, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	second, err := LoadOrCreate(path)
	if err != nil || Public(first) != Public(second) {
		t.Errorf("the key changed: %v", err)
	}
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(path); err == nil {
		t.Error("a damaged key was replaced silently")
	}
}

func TestCertificateNeverExpires(t *testing.T) {
	private, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := Certificate(private, "m1")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if parsed.NotBefore.Year() != 1970 || parsed.NotAfter.Year() != 9999 {
		t.Errorf("valid from %v to %v", parsed.NotBefore, parsed.NotAfter)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := Parse(s); err == nil && k.String() != strings.NewReplacer("\n", "", "\r", "").Replace(s) {
			t.Errorf("%q became %q", s, k)
		}
	})
}

package artifact

import (
	"encoding/json"
	"strings"
	"testing"
)

var hash = strings.Repeat("ab", 32)

// good is a manifest that is as it should be.
func good() Manifest {
	return Manifest{
		Format: Format, Version: "1.2.3-rc.1+abc", Arch: "amd64", Kubernetes: "v1.37.2", Kernel: "6.12.1", Built: 1_790_000_000,
		MinimumVersion: "1.0.0", DataFormat: DataFormat, RootHash: hash,
		Image: Part{5, hash}, Packed: Part{4, hash}, Index: Part{3, hash},
	}
}

func TestManifestIsReadAsWritten(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"all there":          func(*Manifest) {},
		"without an index":   func(m *Manifest) { m.Index = Part{} },
		"from any version":   func(m *Manifest) { m.MinimumVersion = "" },
		"of the plain year ": func(m *Manifest) { m.Built = 0 },
	} {
		m := good()
		change(&m)
		text, err := m.Marshal()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := ParseManifest(text); err != nil || got != m {
			t.Errorf("%s: read %+v, %v; want %+v", name, got, err, m)
		}
	}
}

func TestParseManifestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Manifest)
		want   string
	}{
		"a later format":            {func(m *Manifest) { m.Format = 2 }, "upgrade to a version between first"},
		"no version":                {func(m *Manifest) { m.Version = "" }, "version"},
		"half a version":            {func(m *Manifest) { m.Version = "1.2" }, `"1.2"`},
		"a version with a v":        {func(m *Manifest) { m.Version = "v1.2.3" }, "version"},
		"a path for a version":      {func(m *Manifest) { m.Version = "1.2.3/../.." }, "version"},
		"another minimum":           {func(m *Manifest) { m.MinimumVersion = "one" }, "minimumVersion"},
		"no architecture":           {func(m *Manifest) { m.Arch = "" }, "arch"},
		"Kubernetes without a v":    {func(m *Manifest) { m.Kubernetes = "1.37.2" }, "kubernetes"},
		"a short root hash":         {func(m *Manifest) { m.RootHash = "ab" }, "rootHash"},
		"a hash in capital letters": {func(m *Manifest) { m.Image.Hash = strings.ToUpper(hash) }, "image: hash"},
		"no image":                  {func(m *Manifest) { m.Image = Part{} }, "image: size 0"},
		"an image beyond any disk":  {func(m *Manifest) { m.Image.Size = 1 << 60 }, "image: size"},
		"no packed image":           {func(m *Manifest) { m.Packed = Part{} }, "packed: size 0"},
		"an index without a hash":   {func(m *Manifest) { m.Index.Hash = "" }, "index: hash"},
	} {
		m := good()
		tc.change(&m)
		text, _ := json.Marshal(m)
		if _, err := ParseManifest(text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
		if _, err := m.Marshal(); err == nil {
			t.Errorf("%s: it can be written", name)
		}
	}
	for name, text := range map[string]string{"nothing": "", "no JSON": "hello", "no object": "[]", "too large": strings.Repeat(" ", MaxManifest) + "{}"} {
		if _, err := ParseManifest([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A later version may say more.
func TestParseManifestIgnoresWhatItDoesNotKnow(t *testing.T) {
	text, _ := good().Marshal()
	text = []byte(strings.Replace(string(text), "{", `{"notes": {"url": "https://example.org"}, `, 1))
	if got, err := ParseManifest(text); err != nil || got != good() {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestDigestIsSHA256(t *testing.T) {
	// printf abc | sha256sum
	if got, want := Digest([]byte("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func FuzzParseManifest(f *testing.F) {
	text, _ := good().Marshal()
	f.Add(text)
	f.Add([]byte(`{"format":1,"version":"1.2.3","image":{"size":18446744073709551615}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		again, err := m.Marshal()
		if err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
		if got, err := ParseManifest(again); err != nil || got != m {
			t.Errorf("written and read again it is %+v (%v), not %+v", got, err, m)
		}
	})
}

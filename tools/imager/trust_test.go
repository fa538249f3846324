package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// newKey makes a key in a file.
func newKey(t *testing.T) (file string, public keys.PublicKey) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "a.key")
	key, err := keys.LoadOrCreate(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, keys.Public(key)
}

func TestSigningKey(t *testing.T) {
	cache := t.TempDir()
	development, err := keys.LoadOrCreate(filepath.Join(cache, developmentKeyName))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copied.key")
	if err := keys.Save(copied, development); err != nil {
		t.Fatal(err)
	}
	file, public := newKey(t)
	for name, tc := range map[string]struct {
		options options
		want    keys.PublicKey // zero: none
		err     string
	}{
		"nothing said":                  {options{}, keys.Public(development), ""},
		"a key":                         {options{key: file}, public, ""},
		"not signed":                    {options{unsigned: true}, keys.PublicKey{}, ""},
		"a release":                     {options{release: true, key: file}, public, ""},
		"a release without a key":       {options{release: true}, keys.PublicKey{}, "--key FILE"},
		"a release that is not signed":  {options{release: true, unsigned: true}, keys.PublicKey{}, ""},
		"a release, by this clone":      {options{release: true, key: filepath.Join(cache, developmentKeyName)}, keys.PublicKey{}, "development key"},
		"a release, by a copy of that":  {options{release: true, key: copied}, keys.PublicKey{}, "development key"},
		"a key that is not there":       {options{key: filepath.Join(cache, "none")}, keys.PublicKey{}, "none"},
		"this clone's key, for testing": {options{key: copied}, keys.Public(development), ""},
	} {
		b := &builder{cache: cache, options: tc.options}
		key, err := b.signingKey()
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: error %v, want %q", name, err, tc.err)
		}
		if (key == nil) != tc.want.IsZero() || key != nil && keys.Public(key) != tc.want {
			t.Errorf("%s: key %v", name, key)
		}
	}
}

func TestLayTrust(t *testing.T) {
	file, vendor := newKey(t)
	for name, tc := range map[string]struct {
		options     options
		definition  definition.Definition
		vendor, own bool // trusted
	}{
		"as it comes":        {own: true},
		"with a vendor":      {definition: definition.Definition{Trust: []definition.Trusted{{Name: "releases 2026", Key: vendor}}}, vendor: true, own: true},
		"a release":          {options: options{release: true}, definition: definition.Definition{Trust: []definition.Trusted{{Name: "releases", Key: vendor}}}, vendor: true},
		"a release, nobody":  {options: options{release: true}},
		"signed by a vendor": {options: options{key: file}, own: true},
	} {
		b := &builder{file: "a.yml", cache: t.TempDir(), options: tc.options, definition: &tc.definition}
		development, err := b.developmentKey()
		if err != nil {
			t.Fatal(err)
		}
		if b.root, err = rootfs.NewTree(filepath.Join(t.TempDir(), "root")); err != nil {
			t.Fatal(err)
		}
		if err := b.layTrust(t.Context()); err != nil {
			t.Fatal(err)
		}
		trusted, err := artifact.ReadKeys(b.root.Host(artifact.TrustPath))
		if err != nil {
			t.Fatal(err)
		}
		got := map[keys.PublicKey]bool{}
		for _, k := range trusted {
			got[k] = true
		}
		if len(got) != len(trusted) || got[vendor] != tc.vendor || got[keys.Public(development)] != tc.own {
			t.Errorf("%s: %d keys are trusted, the vendor's %t, the clone's %t", name, len(trusted), got[vendor], got[keys.Public(development)])
		}
	}
}

func TestSignedBySaysWhoIsNotTrusted(t *testing.T) {
	file, public := newKey(t)
	key, err := keys.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{file: "a.yml", cache: t.TempDir(), definition: &definition.Definition{}, options: options{release: true}}
	if text, err := b.signedBy(key); err != nil || !strings.Contains(text, public.Fingerprint()) || !strings.Contains(text, "add "+public.String()) {
		t.Errorf("%q, %v", text, err)
	}
	b.definition.Trust = []definition.Trusted{{Name: "releases", Key: public}}
	if text, err := b.signedBy(key); err != nil || text != "signed by "+public.Fingerprint() {
		t.Errorf("%q, %v", text, err)
	}
}

func TestOptionsThatContradict(t *testing.T) {
	for name, tc := range map[string]struct {
		options options
		want    string
	}{
		"a release":              {options{release: true, key: "a", version: "1.2.3"}, ""},
		"a release with overlay": {options{release: true, overlay: "a"}, "--overlay"},
		"a key for nothing":      {options{unsigned: true, key: "a"}, "--unsigned"},
	} {
		if err := tc.options.check(); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/keys"
)

func TestSign(t *testing.T) {
	b := assembled(t, t.TempDir(), options{})
	if _, err := b.writeArtifact(t.Context()); err != nil {
		t.Fatal(err)
	}
	development, err := b.developmentKey()
	if err != nil {
		t.Fatal(err)
	}
	name := b.artifactFile()
	before, err := artifact.Read(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	file, public := newKey(t)
	if err := sign(name, file); err != nil {
		t.Fatal(err)
	}
	after, err := artifact.Read(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []keys.PublicKey{public, keys.Public(development)} {
		if _, err := artifact.Verify(after.RawManifest, after.Signatures, []keys.PublicKey{key}); err != nil {
			t.Errorf("for who trusts %s: %v", key.Fingerprint(), err)
		}
	}
	if before.Digest() != after.Digest() {
		t.Error("the manifest was changed")
	}
	old, _ := io.ReadAll(before.Image)
	if image, err := io.ReadAll(after.Image); err != nil || !bytes.Equal(image, old) {
		t.Errorf("the image was changed (%v)", err)
	}

	whole := read(t, name)
	damaged := bytes.Clone(whole)
	damaged[after.ImageOffset+100] ^= 1
	for what, tc := range map[string]struct {
		content []byte
		key     string
		want    string
	}{
		"the same key again":    {whole, file, "already"},
		"no key":                {whole, "", "--key"},
		"a key that is missing": {whole, filepath.Join(t.TempDir(), "none"), "none"},
		"a damaged image":       {damaged, otherKey(t), "damaged"},
		"half an artifact":      {whole[:len(whole)/2], otherKey(t), "sign "},
		"something else":        {[]byte("hello"), otherKey(t), "not an artifact"},
		"more behind it":        {append(bytes.Clone(whole), "more"...), otherKey(t), "after its end"},
	} {
		if err := os.WriteFile(name, tc.content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := sign(name, tc.key); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", what, err, tc.want)
		}
		if !bytes.Equal(read(t, name), tc.content) {
			t.Errorf("%s: the file was changed", what)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) > 0 {
			t.Errorf("%s: left %q", what, left)
		}
	}
}

func otherKey(t *testing.T) string {
	t.Helper()
	file, _ := newKey(t)
	return file
}

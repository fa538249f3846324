package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// Argument is the kernel argument with a config's URL.
	Argument = "coracle.config"
	// DigestArgument is the kernel argument with the digest that the config has to have: sha256: and 64 hex digits. The fragment
	// of the URL may say it too, as #sha256= and the digits.
	DigestArgument = "coracle.config.digest"
)

// Remote is a config on a web server.
type Remote struct {
	url    string // may hold placeholders, and secrets
	sha256 string // hex; empty: any config will do
}

// String is where the config is, without what may be secret.
func (r Remote) String() string { return ShownURL(r.url) }

// argument looks at the kernel argument. A config on a server is left to be fetched.
func (s Sources) argument(f *Found) string {
	s.keptOne(f)
	if taken := f.taken(); taken != "" {
		return taken
	}
	if s.URL == "" {
		if s.Digest != "" {
			f.notice("the kernel argument %s is ignored: there is no %s", DigestArgument, Argument)
		}
		return "not given"
	}
	const hint = "correct the kernel argument " + Argument
	r, err := parseArgument(s.URL, s.Digest)
	if err != nil {
		return f.refuse(err, hint)
	}
	if !strings.HasPrefix(r.url, "data:") {
		f.Fetch = &r
		return "is fetched as soon as the network allows"
	}
	text, err := decodeDataURL(r.url)
	if err == nil {
		err = r.check(text)
	}
	if err == nil {
		err = s.take(f, Argument, text)
	}
	if err != nil {
		return f.refuse(err, hint)
	}
	return ""
}

// parseArgument reads the values of [Argument] and [DigestArgument].
func parseArgument(url, digest string) (Remote, error) {
	if !slices.ContainsFunc([]string{"http://", "https://", "data:"}, func(scheme string) bool { return strings.HasPrefix(url, scheme) }) {
		return Remote{}, fmt.Errorf("the kernel argument %s is not an http:, https: or data: URL", Argument)
	}
	var r Remote
	var fragment string
	r.url, fragment, _ = strings.Cut(url, "#")
	for _, d := range []struct{ where, text, prefix string }{
		{"the kernel argument " + DigestArgument, digest, "sha256:"},
		{"what follows # in the kernel argument " + Argument, fragment, "sha256="},
	} {
		if d.text == "" {
			continue
		}
		sum, found := strings.CutPrefix(strings.ToLower(d.text), d.prefix)
		if raw, err := hex.DecodeString(sum); !found || err != nil || len(raw) != sha256.Size {
			return Remote{}, fmt.Errorf("%s is %q, should be %s and %d hex digits", d.where, d.text, d.prefix, 2*sha256.Size)
		}
		if r.sha256 != "" && r.sha256 != sum {
			return Remote{}, fmt.Errorf("the kernel arguments %s and %s name different digests", Argument, DigestArgument)
		}
		r.sha256 = sum
	}
	if !strings.HasPrefix(url, "data:") {
		return r, checkPlaceholders(r.url)
	}
	return r, nil
}

// Fetch gets the config. facts are what the placeholders in its URL stand for.
func (r Remote) Fetch(ctx context.Context, facts Facts) ([]byte, error) {
	url, err := facts.expand(r.url)
	if err != nil {
		return nil, fmt.Errorf("fetch the machine config from %s: %w", r, err)
	}
	text, err := fetch(ctx, url, r.String())
	if err == nil {
		err = r.check(text)
	}
	return text, err
}

// check compares a config with the digest that it has to have.
func (r Remote) check(text []byte) error {
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:]); r.sha256 != "" && got != r.sha256 {
		return fmt.Errorf("the machine config of the kernel argument %s has the SHA-256 digest %s, should have %s", Argument, got, r.sha256)
	}
	return nil
}

// Fetched makes what was fetched from f.Fetch the config, and keeps it on DATA.
func (s Sources) Fetched(f *Found, text []byte) error {
	if f.Fetch == nil {
		return errors.New("no machine config was to be fetched")
	}
	if err := s.take(f, f.Fetch.String(), text); err != nil {
		return err
	}
	f.became(fromArgument, "")
	return nil
}

// take makes text, which the kernel argument holds or leads to, the config and keeps it on DATA. file is the name that
// problems carry.
func (s Sources) take(f *Found, file string, text []byte) error {
	c, err := s.parse(file, text)
	if err != nil {
		return err
	}
	f.use(&c, text, fromArgument)
	s.keep(f)
	return nil
}

// placeholder in a URL.
var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// checkPlaceholders finds placeholders that there are not.
func checkPlaceholders(url string) error {
	for _, m := range placeholder.FindAllStringSubmatch(url, -1) {
		if _, known := facts[m[1]]; !known {
			return fmt.Errorf("the kernel argument %s has the placeholder %s; there are %s", Argument, m[0], placeholders())
		}
	}
	return nil
}

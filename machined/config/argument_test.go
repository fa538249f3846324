package config

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// smallestDigest is sha256sum of smallest.
const smallestDigest = "b0c0a3afbc5e36ea524e608eb0caae39778ad34a340f8a042c26c277a7f56d33"

func TestParseArgument(t *testing.T) {
	sum, wrong := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for name, tc := range map[string]struct{ url, digest, wantURL, wantSum, problem string }{
		"plain":               {url: "https://example.com/m", wantURL: "https://example.com/m"},
		"placeholders":        {url: "http://example.com/{mac}/{uuid}?s={serial}&h={hostname}", wantURL: "http://example.com/{mac}/{uuid}?s={serial}&h={hostname}"},
		"unknown placeholder": {url: "https://example.com/{ip}", problem: "has the placeholder {ip}; there are {hostname}, {mac}, {serial}, {uuid}"},
		"digest":              {url: "https://example.com/m", digest: "sha256:" + strings.ToUpper(sum), wantURL: "https://example.com/m", wantSum: sum},
		"digest in the URL":   {url: "https://example.com/m#sha256=" + sum, wantURL: "https://example.com/m", wantSum: sum},
		"both":                {url: "https://example.com/m#sha256=" + sum, digest: "sha256:" + sum, wantURL: "https://example.com/m", wantSum: sum},
		"both, not the same":  {url: "https://example.com/m#sha256=" + sum, digest: "sha256:" + wrong, problem: "name different digests"},
		"short digest":        {url: "https://example.com/m", digest: "sha256:abcd", problem: "coracle.config.digest is \"sha256:abcd\", should be sha256: and 64 hex digits"},
		"other digest":        {url: "https://example.com/m", digest: "md5:abcd", problem: "should be sha256: and 64 hex digits"},
		"another fragment":    {url: "https://example.com/m#top", problem: "should be sha256= and 64 hex digits"},
		"data":                {url: "data:,{x}#sha256=" + sum, wantURL: "data:,{x}", wantSum: sum},
		"another scheme":      {url: "file:///m", problem: "is not an http:, https: or data: URL"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseArgument(tc.url, tc.digest)
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("error %v, want %q", err, tc.problem)
				}
				return
			}
			if want := (Remote{tc.wantURL, tc.wantSum}); err != nil || r != want {
				t.Errorf("%+v, %v, want %+v", r, err, want)
			}
		})
	}
}

func TestDigestOfDataURL(t *testing.T) {
	const url = "data:,apiVersion:%20coracle/v1alpha1%0Akind:%20MachineConfig%0Amachine:%20{role:%20server}%0A"
	for name, tc := range map[string]struct{ digest, problem string }{
		"fits":  {"sha256:" + smallestDigest, ""},
		"wrong": {"sha256:" + strings.Repeat("ab", 32), "has the SHA-256 digest " + smallestDigest + ", should have abab"},
	} {
		f := Sources{URL: url, Digest: tc.digest}.Find()
		problem := ""
		if f.Problem != nil {
			problem = f.Problem.Error()
		}
		contains(t, name, problem, tc.problem)
		if (f.Config == nil) != (tc.problem != "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestFetched(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/52:54:00:12:34:56/A B/7.yaml" || r.URL.Query().Get("u") != "4c4c-0001" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(smallest))
	}))
	defer server.Close()
	machine := fstest.MapFS{
		"sys/class/net/eth0/device/x":     {},
		"sys/class/net/eth0/type":         {Data: []byte("1\n")},
		"sys/class/net/eth0/address":      {Data: []byte("52:54:00:12:34:56\n")},
		"sys/class/net/eth0/carrier":      {Data: []byte("1\n")},
		"sys/class/dmi/id/product_uuid":   {Data: []byte("4C4C-0001\n")},
		"sys/class/dmi/id/product_serial": {Data: []byte("A B/7\n")},
	}
	for name, tc := range map[string]struct{ digest, problem string }{
		"wrong digest": {"sha256:" + strings.Repeat("ab", 32), "has the SHA-256 digest"},
		"fits":         {"sha256:" + smallestDigest, ""},
	} {
		data := filepath.Join(t.TempDir(), "machine.yaml")
		s := Sources{Data: data, URL: server.URL + "/{mac}/{serial}.yaml?u={uuid}", Digest: tc.digest}
		f := s.Find()
		if f.Fetch == nil {
			t.Fatalf("%+v", f)
		}
		text, err := f.Fetch.Fetch(t.Context(), Facts{machine})
		if tc.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			err = s.Fetched(&f, text)
		}
		if err != nil || f.Config == nil || f.From != "kernel argument coracle.config" {
			t.Errorf("%s: %v, %+v", name, err, f)
		}
		if got, want := summary(f.Sources), "not there | not there | no such volume is attached | used | not asked: the one of the kernel argument coracle.config is fetched"; got != want {
			t.Errorf("sources: %s, want %s", got, want)
		}
		if kept, err := os.ReadFile(data); err != nil || string(kept) != smallest {
			t.Errorf("on DATA: %q, %v", kept, err)
		}
	}
}

func FuzzParseArgument(f *testing.F) {
	f.Add("https://example.com/{mac}#sha256=00", "sha256:ff")
	f.Fuzz(func(t *testing.T, url, digest string) {
		r, err := parseArgument(url, digest)
		if err == nil && (r.url == "" || digest != "" && len(r.sha256) != 64) {
			t.Errorf("%+v", r)
		}
	})
}

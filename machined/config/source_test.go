package config

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const other = smallest + "cluster: {domain: other.local}\n"

func TestFind(t *testing.T) {
	const bad = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {rolle: server}\n"
	const dataURL = "data:;base64,YXBpVmVyc2lvbjogY29yYWNsZS92MWFscGhhMQpraW5kOiBNYWNoaW5lQ29uZmlnCm1hY2hpbmU6IHtyb2xlOiBzZXJ2ZXJ9Cg=="
	for name, tc := range map[string]struct {
		data, boot, url       string
		domain                string // of the config in force; empty: none
		from, notice, problem string
		fetch                 string
		dataAfter             string // content on DATA afterwards
		imported              bool   // machine.yaml was renamed
	}{
		"nothing":               {},
		"DATA":                  {data: other, domain: "other.local", from: "DATA", dataAfter: other},
		"BOOT":                  {boot: other, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true},
		"DATA before BOOT":      {data: other, boot: smallest, domain: "other.local", from: "DATA", notice: "is ignored: this machine has a config on DATA", dataAfter: other},
		"power cut in import":   {data: other, boot: other, domain: "other.local", from: "DATA", dataAfter: other, imported: true},
		"bad on BOOT":           {boot: bad, problem: `BOOT/machine.yaml:3: machine.rolle: unknown field; did you mean "role"?`},
		"bad on BOOT, DATA":     {data: other, boot: bad, domain: "other.local", from: "DATA", notice: "is ignored", dataAfter: other},
		"bad on DATA":           {data: bad, problem: `machine.yaml:3: machine.rolle: unknown field`, dataAfter: bad},
		"bad on DATA, BOOT":     {data: bad, boot: other, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true},
		"data URL":              {url: dataURL, domain: "cluster.local", from: "kernel argument coracle.config", dataAfter: smallest},
		"bad data URL":          {url: "data:,x", problem: "coracle.config:1: is \"x\", should be fields"},
		"BOOT before argument":  {boot: other, url: dataURL, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true},
		"bad BOOT, then a URL":  {boot: bad, url: "https://example.com/m.yaml", problem: "machine.rolle", fetch: "https://example.com/m.yaml"},
		"URL":                   {url: "http://example.com/m.yaml", fetch: "http://example.com/m.yaml"},
		"URL, but DATA has one": {data: other, url: "http://example.com/m.yaml", domain: "other.local", from: "DATA", dataAfter: other},
		"URL of another kind":   {url: "ftp://example.com", problem: "coracle.config is not an http:, https: or data: URL"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			boot, data := filepath.Join(dir, "boot"), filepath.Join(dir, "data", "machine.yaml")
			put(t, data, tc.data)
			put(t, filepath.Join(boot, BootName), tc.boot)
			s := Sources{Data: data, URL: tc.url, Boot: func(_ bool, f func(string) error) error { return f(boot) }}

			f := s.Find()
			domain := ""
			if f.Config != nil {
				domain = f.Config.Cluster.Domain
			}
			if domain != tc.domain || f.From != tc.from || f.Fetch != tc.fetch {
				t.Errorf("config of %q from %q, fetch %q; want %q, %q, %q", domain, f.From, f.Fetch, tc.domain, tc.from, tc.fetch)
			}
			contains(t, "notices", strings.Join(f.Notices, "\n"), tc.notice)
			problem := ""
			if f.Problem != nil {
				problem = f.Problem.Error()
				if f.Hint == "" {
					t.Error("a problem without a hint")
				}
			}
			contains(t, "problem", problem, tc.problem)
			if got, _ := os.ReadFile(data); string(got) != tc.dataAfter {
				t.Errorf("on DATA: %q", got)
			}
			_, err := os.Stat(filepath.Join(boot, ImportedName))
			if (err == nil) != tc.imported {
				t.Errorf("imported: %v", err)
			}
		})
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if content == "" {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// contains wants part in got, and got to be empty when part is.
func contains(t *testing.T, what, got, part string) {
	t.Helper()
	if (part == "") != (got == "") || !strings.Contains(got, part) {
		t.Errorf("%s: %q, want %q", what, got, part)
	}
}

func TestBootThatDoesNotMountIsSaid(t *testing.T) {
	s := Sources{Boot: func(bool, func(string) error) error { return errors.New("no such device") }}
	if f := s.Find(); len(f.Notices) != 1 || !strings.Contains(f.Notices[0], "no such device") {
		t.Errorf("notices %q", f.Notices)
	}
}

func TestBootIsUsedWithoutData(t *testing.T) {
	boot := t.TempDir()
	put(t, filepath.Join(boot, BootName), smallest)
	f := Sources{Boot: func(_ bool, f func(string) error) error { return f(boot) }}.Find()
	if f.Config == nil {
		t.Fatalf("no config: %+v", f)
	}
	if _, err := os.Stat(filepath.Join(boot, BootName)); err != nil {
		t.Error("renamed, although it was kept nowhere")
	}
}

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/m.yaml":
			w.Write([]byte(smallest))
		case "/large":
			w.Write(make([]byte, 2*MaxSize))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	text, err := Fetch(t.Context(), server.URL+"/m.yaml")
	if err != nil || string(text) != smallest {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Fetch(t.Context(), server.URL+"/none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
	large, err := Fetch(t.Context(), server.URL+"/large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("m", large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v", err)
	}
}

func TestShownURL(t *testing.T) {
	for raw, want := range map[string]string{
		"http://example.com/m.yaml":                       "http://example.com/m.yaml",
		"https://me:secret@example.com:8443/m.yaml?t=s#f": "https://example.com:8443/m.yaml",
		"https://token@[2001:db8::1]/a%20b":               "https://[2001:db8::1]/a%20b",
		"https://me:sec/ret@example.com/m.yaml":           "the kernel argument coracle.config",
		"me:secret@example.com":                           "the kernel argument coracle.config",
	} {
		if got := ShownURL(raw); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestFetchShowsNoSecret(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case user != "me" || password != "s3cret" || r.URL.RawQuery != "token=s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/hangs-up":
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/breaks-off":
			w.Header().Set("Content-Length", "100")
		default:
			http.NotFound(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	base := strings.Replace(server.URL, "http://", "http://me:s3cret@", 1)
	for url, want := range map[string]string{
		base + "/none?token=s3cret":       "404",
		base + "/hangs-up?token=s3cret":   "EOF",
		base + "/breaks-off?token=s3cret": "EOF",
		"http://me:s3cret/x@example.com":  "cannot be read as a URL",
	} {
		_, err := Fetch(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func FuzzDataURL(f *testing.F) {
	f.Add("data:;base64,YQ")
	f.Add("data:text/yaml,a%20b")
	f.Fuzz(func(t *testing.T, s string) { decodeDataURL(s) })
}

package config

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, url string) ([]byte, error) {
	t.Helper()
	return Remote{url: url}.Fetch(t.Context(), Facts{})
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
	text, err := get(t, server.URL+"/m.yaml")
	if err != nil || string(text) != smallest {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := get(t, server.URL+"/none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
	large, err := get(t, server.URL+"/large")
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
		"https://example.com/{mac}/{serial}?u={uuid}":     "https://example.com/{mac}/{serial}",
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
		_, err := get(t, url)
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

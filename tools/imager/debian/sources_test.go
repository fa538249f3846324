package debian

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestHostMirrors(t *testing.T) {
	for _, test := range []struct {
		name           string
		files          map[string]string
		env            [2]string // DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR
		main, security string    // main empty: an error
	}{
		{
			name: "one-line format",
			files: map[string]string{"sources.list": "# a comment\ndeb-src http://m.test/debian bookworm main\n" +
				"deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.test/debian bookworm main contrib # x\n" +
				"deb http://s.test/debian-security bookworm-security main\n"},
			main: "http://m.test/debian", security: "http://s.test/debian-security",
		},
		{
			name: "deb822, security derived",
			files: map[string]string{"sources.list.d/debian.sources": "Types: deb deb-src\nURIs: https://m.test/debian/\n" +
				"# a comment\nSuites: trixie\n trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"},
			main: "https://m.test/debian/", security: "https://m.test/debian-security",
		},
		{
			name: "a cloud image's mirror lists",
			files: map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\nComponents: main\n\n" +
				"Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian-security.list\nSuites: bookworm-security\nComponents: main\n"},
			main: "mirror+file:///etc/apt/mirrors/debian.list", security: "mirror+file:///etc/apt/mirrors/debian-security.list",
		},
		{
			name: "third parties, disabled and source stanzas are not Debian",
			files: map[string]string{
				"sources.list":              "deb http://u.test/ubuntu noble main\ndeb http://d.test/linux/debian bookworm stable\ndeb [signed-by=/x.gpg] http://t.test/debian bookworm main\n",
				"sources.list.d/a.sources":  "Types: deb\nEnabled: no\nURIs: http://off.test/debian\nSuites: trixie\nComponents: main\n",
				"sources.list.d/b.sources":  "Types: deb-src\nURIs: http://src.test/debian\nSuites: trixie\nComponents: main\n",
				"sources.list.d/c.disabled": "deb http://no.test/debian trixie main\n",
			},
		},
		{name: "the environment wins", env: [2]string{"http://e.test/debian", ""}, main: "http://e.test/debian", security: "http://e.test/debian-security"},
		{name: "a mirror of another name needs its security mirror named", env: [2]string{"http://e.test/pub", ""}},
		{name: "both named", env: [2]string{"http://e.test/pub", "http://e.test/sec"}, main: "http://e.test/pub", security: "http://e.test/sec"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DEBIAN_MIRROR", test.env[0])
			t.Setenv("DEBIAN_SECURITY_MIRROR", test.env[1])
			etc := t.TempDir()
			for name, content := range test.files {
				writeFile(t, filepath.Join(etc, name), content)
			}
			m, err := hostMirrors(etc, filepath.Join(etc, "no-debootstrap"))
			if test.main == "" {
				if err == nil || !strings.Contains(err.Error(), "MIRROR") {
					t.Fatalf("mirrors %+v, error %v; want an error that names the variable to set", m, err)
				}
				return
			}
			if err != nil || m.Main != test.main || m.Security != test.security {
				t.Errorf("mirrors %+v, error %v; want %s and %s", m, err, test.main, test.security)
			}
		})
	}
}

func TestDebootstrapDefault(t *testing.T) {
	script := filepath.Join(t.TempDir(), "debootstrap")
	writeFile(t, script, "#!/bin/sh\nDEF_MIRROR=\"http://m.test/debian\"\n")
	if got := debootstrapDefault(script); got != "http://m.test/debian" {
		t.Errorf("default is %q", got)
	}
}

func TestParseSimulation(t *testing.T) {
	got := parseSimulation("Inst libc6 (2.41-12 Debian:13.1/stable [amd64])\nInst zlib1g:amd64 [1:1.2] (1:1.3 Debian [amd64])\nConf libc6 (2.41-12 x)\n")
	if want := "libc6=2.41-12 zlib1g=1:1.3"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParsePolicy(t *testing.T) {
	got := parsePolicy("nftables:\n  Installed: (none)\n  Candidate: 1.1.3-1\n  Version table:\n     1.1.3-1 500\nnone:\n  Candidate: (none)\n")
	if len(got) != 1 || got["nftables"] != "1.1.3-1" {
		t.Errorf("got %v", got)
	}
}

func TestParsePackage(t *testing.T) {
	s := stanzas("Package: libc6\nSource: glibc (2.41-12)\nVersion: 2.41-12+b1\nArchitecture: amd64\nSHA256: ab\nDescription: C\n more\n\nPackage: x\nVersion: 1\n")
	if len(s) != 2 {
		t.Fatalf("%d stanzas", len(s))
	}
	if p := parsePackage(s[0]); p.Source != "glibc" || p.SourceVersion != "2.41-12" || p.Version != "2.41-12+b1" || p.SHA256 != "ab" {
		t.Errorf("got %+v", p)
	}
	if p := parsePackage(s[1]); p.Source != "x" || p.SourceVersion != "1" {
		t.Errorf("got %+v", p)
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [signed-by=x] http://m.test/debian trixie main\n")
	f.Add("Types: deb\nURIs: http://m.test/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n .\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range append(ParseList(text), ParseStanzas(text)...) {
			if e.URI == "" || strings.ContainsAny(e.URI, " \t\n") {
				t.Errorf("entry with URI %q", e.URI)
			}
			debianMirrors([]Entry{e})
		}
	})
}

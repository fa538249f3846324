package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const other = smallest + "cluster: {domain: other.local}\n"

// windows is other as an editor on Windows may have left it on BOOT: with a byte order mark, and CRLF.
var windows = "\ufeff" + strings.ReplaceAll(other, "\n", "\r\n")

func TestFind(t *testing.T) {
	const bad = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {rolle: server}\n"
	const dataURL = "data:;base64,YXBpVmVyc2lvbjogY29yYWNsZS92MWFscGhhMQpraW5kOiBNYWNoaW5lQ29uZmlnCm1hY2hpbmU6IHtyb2xlOiBzZXJ2ZXJ9Cg=="
	const url = "https://example.com/{mac}.yaml"
	for name, tc := range map[string]struct {
		data, boot, media, url, image string
		kept                          string // for this version of Coracle
		domain                        string // of the config in force; empty: none
		from, notice, problem         string
		fetch                         string
		dataAfter                     string // content on DATA afterwards
		imported                      bool   // machine.yaml was renamed
		sources                       string // used, or why not, in their order
	}{
		"nothing":                 {sources: "not there | not there | not there | not given | not there"},
		"DATA":                    {data: other, domain: "other.local", from: "DATA", dataAfter: other, sources: "used | not there | not asked: DATA has one | not asked: DATA has one | not asked: DATA has one"},
		"BOOT":                    {boot: other, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true, sources: "not there | used | not asked: machine.yaml on the BOOT partition has one |"},
		"DATA before BOOT":        {data: other, boot: smallest, domain: "other.local", from: "DATA", notice: "is ignored: this machine has a config on DATA", dataAfter: other, sources: "used | ignored: DATA has one |"},
		"power cut in import":     {data: other, boot: other, domain: "other.local", from: "DATA", dataAfter: other, imported: true, sources: "used | imported before: DATA has it |"},
		"BOOT, from Windows":      {boot: windows, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: windows, imported: true},
		"DATA, from Windows":      {data: windows, boot: windows, domain: "other.local", from: "DATA", dataAfter: windows, imported: true, sources: "used | imported before: DATA has it |"},
		"bad on BOOT":             {boot: bad, problem: `BOOT/machine.yaml:3: machine.rolle: unknown field; did you mean "role"?`, sources: "not there | not valid: BOOT/machine.yaml:3: machine.rolle"},
		"bad on BOOT, DATA":       {data: other, boot: bad, domain: "other.local", from: "DATA", notice: "is ignored", dataAfter: other},
		"bad on DATA":             {data: bad, problem: `machine.yaml:3: machine.rolle: unknown field`, dataAfter: bad, sources: "not valid: "},
		"later than kept":         {data: other, kept: smallest, domain: "other.local", from: "DATA", dataAfter: other},
		"bad on DATA, kept":       {data: bad, kept: other, url: url, image: smallest, domain: "other.local", from: "DATA, kept for this version of Coracle", problem: "machine.yaml:3: machine.rolle: unknown field", dataAfter: bad, sources: "not valid: "},
		"bad on DATA, BOOT, kept": {data: bad, boot: other, kept: smallest, domain: "other.local", from: "machine.yaml on the BOOT partition", notice: "is not used: ", dataAfter: other, imported: true},
		"bad on DATA, bad kept":   {data: bad, kept: bad, problem: "machine.rolle", dataAfter: bad},
		"bad on DATA, BOOT":       {data: bad, boot: other, domain: "other.local", from: "machine.yaml on the BOOT partition", notice: "is not used: ", dataAfter: other, imported: true},
		"volume":                  {media: other, domain: "other.local", from: "machine.yaml on the volume CORACLE", dataAfter: other, sources: "not there | not there | used | not asked: machine.yaml on the volume CORACLE has one |"},
		"BOOT before a volume":    {boot: other, media: smallest, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true},
		"bad volume":              {media: bad, problem: "CORACLE/machine.yaml:3: machine.rolle", sources: "not there | not there | not valid: CORACLE/machine.yaml:3:"},
		"data URL":                {url: dataURL, domain: "cluster.local", from: "kernel argument coracle.config", dataAfter: smallest, sources: "not there | not there | not there | used | not asked: kernel argument coracle.config has one"},
		"bad data URL":            {url: "data:,x", problem: "coracle.config:1: is \"x\", should be fields"},
		"BOOT before argument":    {boot: other, url: dataURL, domain: "other.local", from: "machine.yaml on the BOOT partition", dataAfter: other, imported: true},
		"volume, then argument":   {media: other, url: url, domain: "other.local", from: "machine.yaml on the volume CORACLE", dataAfter: other},
		"bad BOOT, then a URL":    {boot: bad, url: "https://example.com/m.yaml", problem: "machine.rolle", fetch: "https://example.com/m.yaml"},
		"URL":                     {url: url, image: other, fetch: url, sources: "not there | not there | not there | is fetched as soon as the network allows | not asked: the one of the kernel argument"},
		"URL, but DATA has one":   {data: other, url: "http://example.com/m.yaml", domain: "other.local", from: "DATA", dataAfter: other},
		"URL of another kind":     {url: "ftp://example.com", problem: "coracle.config is not an http:, https: or data: URL"},
		"image":                   {image: other, domain: "other.local", from: "the image", sources: "not there | not there | not there | not given | used"},
		"DATA before image":       {data: other, image: smallest, domain: "other.local", from: "DATA", dataAfter: other},
		"bad on DATA, image":      {data: bad, image: other, domain: "other.local", from: "the image", problem: "machine.rolle", dataAfter: bad},
		"bad URL, image":          {url: "x", image: other, domain: "other.local", from: "the image", problem: "coracle.config is not"},
		"bad in the image":        {image: bad, problem: "image.yaml:3: machine.rolle"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			boot, media, data, image := filepath.Join(dir, "boot"), filepath.Join(dir, "media"), filepath.Join(dir, "data", "machine.yaml"), filepath.Join(dir, "image.yaml")
			put(t, data, tc.data)
			put(t, filepath.Join(boot, BootName), tc.boot)
			put(t, filepath.Join(media, MediaName), tc.media)
			put(t, image, tc.image)
			kept := filepath.Join(dir, "kept.yaml")
			put(t, kept, tc.kept)
			s := Sources{Data: data, Kept: kept, URL: tc.url, Media: media, Embedded: image, Boot: func(_ bool, f func(string) error) error { return f(boot) }}

			f := s.Find()
			domain := ""
			if f.Config != nil {
				domain = f.Config.Cluster.Domain
				if c, err := Parse("m", f.Text); err != nil || c.Cluster.Domain != domain {
					t.Errorf("its text is another: %q", f.Text)
				}
			}
			fetch := ""
			if f.Fetch != nil {
				fetch = f.Fetch.String()
			}
			if domain != tc.domain || f.From != tc.from || fetch != tc.fetch {
				t.Errorf("config of %q from %q, fetch %q; want %q, %q, %q", domain, f.From, fetch, tc.domain, tc.from, tc.fetch)
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
			if got := summary(f.Sources); !strings.HasPrefix(got, tc.sources) {
				t.Errorf("sources: %s\nwant:    %s", got, tc.sources)
			}
		})
	}
}

func TestConfigForAnotherArchitecture(t *testing.T) {
	boot := t.TempDir()
	put(t, filepath.Join(boot, BootName), strings.Replace(smallest, "role: server", "role: server, arch: arm64", 1))
	for arch, want := range map[string]string{"arm64": "", "": "", "amd64": "BOOT/machine.yaml: machine.arch: is arm64, this machine is amd64"} {
		f := Sources{Arch: arch, Boot: func(_ bool, f func(string) error) error { return f(boot) }}.Find()
		problem := ""
		if f.Problem != nil {
			problem = f.Problem.Error()
		}
		if problem != want || (f.Config != nil) != (want == "") {
			t.Errorf("%s: %q, %+v", arch, problem, f)
		}
	}
}

func TestVolumeIsAttachedLater(t *testing.T) {
	media := t.TempDir()
	s := Sources{URL: "https://example.com/m.yaml"}
	f := s.Find()
	before := f.Sources

	s.Media = media
	s.LookAtMedia(&f)
	if got, want := summary(f.Sources), "DATA cannot be used | not there | not there | is fetched as"; f.Config != nil || f.Fetch == nil || !strings.HasPrefix(got, want) {
		t.Errorf("no file on it: %s, want %s; %+v", got, want, f)
	}
	put(t, filepath.Join(media, MediaName), "machine: {rolle: server}")
	s.LookAtMedia(&f)
	if got, want := summary(f.Sources), "DATA cannot be used | not there | not valid: CORACLE/machine.yaml"; f.Config != nil || f.Fetch == nil || f.Problem == nil || !strings.HasPrefix(got, want) {
		t.Errorf("not valid: %s, want %s; %+v", got, want, f)
	}
	put(t, filepath.Join(media, MediaName), smallest)
	s.LookAtMedia(&f)
	if got, want := summary(f.Sources), "DATA cannot be used | not there | used | not asked: machine.yaml on the volume CORACLE has one | not asked"; f.Config == nil || f.Fetch != nil || f.Problem != nil || !strings.HasPrefix(got, want) {
		t.Errorf("valid: %s, want %s; %+v", got, want, f)
	}
	if got, want := summary(before), "DATA cannot be used | not there | no such volume is attached"; !strings.HasPrefix(got, want) {
		t.Errorf("what others may be reading was changed: %s", got)
	}
}

// summary is what became of the sources.
func summary(sources []Source) string {
	var became []string
	for _, s := range sources {
		if s.Used {
			s.Why += "used"
		}
		became = append(became, s.Why)
	}
	return strings.Join(became, " | ")
}

// TestWhatWasOnDataIsKept imports over a config that cannot be used.
func TestWhatWasOnDataIsKept(t *testing.T) {
	dir := t.TempDir()
	data, boot := filepath.Join(dir, "data", "machine.yaml"), filepath.Join(dir, "boot")
	put(t, data, "not a config")
	put(t, filepath.Join(boot, BootName), smallest)
	Sources{Data: data, Boot: func(_ bool, f func(string) error) error { return f(boot) }}.Find()
	if got, err := os.ReadFile(data + ".previous"); err != nil || string(got) != "not a config" {
		t.Errorf("%q, %v", got, err)
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

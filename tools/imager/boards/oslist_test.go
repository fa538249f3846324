package boards

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// release is one that is right.
func release(goarch string) Release {
	return Release{
		Arch: goarch, Version: "1.2.3", Date: time.Date(2026, 11, 27, 1, 0, 0, 0, time.FixedZone("", 2*3600)),
		URL:      "https://coracle.example/1.2.3/coracle-" + goarch + ".img.zst",
		Image:    Blob{407_896_064, strings.Repeat("ab", 32)},
		Download: Blob{98_765_432, strings.Repeat("01", 32)},
	}
}

func TestOSList(t *testing.T) {
	pi5 := release("arm64")
	pi5.Flavour = "rpi5"
	pi5.URL = "https://coracle.example/1.2.3/coracle-rpi5-arm64.img.zst"
	got, err := OSList(release("arm64"), release("arm"), pi5)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/os_list.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("not as in %s (go test -update writes it); got:\n%s", golden, got)
	}
}

func TestOSListRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Release)
		want   string
	}{
		"a PC":              {func(r *Release) { r.Arch = "amd64" }, "no Raspberry Pi"},
		"no URL":            {func(r *Release) { r.URL = "" }, "URL"},
		"a path as URL":     {func(r *Release) { r.URL = "coracle.img.zst" }, "https://"},
		"no size":           {func(r *Release) { r.Download.Size = 0 }, "download"},
		"half a SHA-256":    {func(r *Release) { r.Image.SHA256 = r.Image.SHA256[:32] }, "image"},
		"no hexadecimal":    {func(r *Release) { r.Image.SHA256 = strings.Repeat("x", 64) }, "image"},
		"a URL with spaces": {func(r *Release) { r.URL = "https://exa mple/" }, "URL"},
	} {
		t.Run(name, func(t *testing.T) {
			r := release("arm64")
			tc.change(&r)
			if _, err := OSList(release("arm"), r); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

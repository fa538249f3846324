package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOSList(t *testing.T) {
	out := t.TempDir()
	const file, pi5 = "../../images/arm64.yml", "../../images/arm64-rpi5.yml"
	for _, c := range []struct{ file, url, want string }{
		{file, "", "--url"},
		{"../../images/amd64.yml", "https://example.com", "no image for the Raspberry Pi"},
		{file, "https://example.com", "build the image first"},
		{pi5, "https://example.com", "build the image first"},
	} {
		if err := osList([]string{c.file}, out, c.url); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	sum := strings.Repeat("ab", 32)
	for n, name := range []string{"arm64", "armhf", "rpi5-arm64"} {
		image := "coracle-" + name + ".img"
		if name != "rpi5-arm64" {
			image = "coracle-rpi-" + name + ".img"
		}
		for file, content := range map[string]string{
			"coracle-" + name + ".yml": "resolved: {version: 1.2.3, built: \"2026-11-27T04:00:00Z\"}\n",
			"coracle-" + name + ".digests.json": fmt.Sprintf(`[{"name":%q,"size":%d,"sha256":%q},{"name":%q,"size":%d,"sha256":%q}]`,
				image, 400+n, sum, image+".zst", 100+n, sum),
		} {
			if err := os.WriteFile(filepath.Join(out, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := osList([]string{file, "../../images/armhf.yml", pi5}, out, "https://example.com/releases/"); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(out, "os_list.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"url": "https://example.com/releases/coracle-rpi-arm64.img.zst"`, `"extract_size": 400`, `"image_download_size": 100`, "Coracle 1.2.3 (64-bit)",
		"coracle-rpi-armhf.img.zst", "Coracle 1.2.3 (32-bit)",
		`"url": "https://example.com/releases/coracle-rpi5-arm64.img.zst"`, `"extract_size": 402`, "Raspberry Pi 5 (64-bit, experimental)",
	} {
		if !strings.Contains(string(list), want) {
			t.Errorf("no %s in\n%s", want, list)
		}
	}
}

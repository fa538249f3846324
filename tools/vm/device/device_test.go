package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config"
)

func TestServerConfigIsValid(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, []byte("disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d, err := Flash(dir, image, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"", "  name: edge-1\n"} {
		c, err := config.Parse("machine.yaml", d.ServerConfig(more))
		if err != nil {
			t.Errorf("with %q: %v", more, err)
			continue
		}
		if len(c.Machine.API.Keys) != 1 || c.Machine.API.Keys[0].Role != "admin" {
			t.Errorf("with %q: keys %+v", more, c.Machine.API.Keys)
		}
	}

	again, err := Open(dir)
	if err != nil || !again.Key.Equal(d.Key) {
		t.Errorf("opened again, the key differs (%v)", err)
	}
	if info, err := os.Stat(d.Disk()); err != nil || info.Size() != 1<<20 {
		t.Errorf("disk: %v, %v", info, err)
	}
}

func TestOpenNothing(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("got %v", err)
	}
}

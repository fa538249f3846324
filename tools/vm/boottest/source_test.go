package boottest

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/disk"
)

// source wants the config in force to be from there.
func (l *lab) source(want string) {
	l.Helper()
	l.milestone("config", readyWithin)
	s := l.status(l.api()).Config
	if s.Source != want || !slices.ContainsFunc(s.Sources, func(s *machinepb.ConfigSource) bool { return s.Used && s.Name == want }) {
		l.Errorf("the config is from %q, want %q: %v", s.Source, want, s.Sources)
	}
}

// TestConfigFromServer has the kernel argument name a web server, which does not answer at once. Then the config is on DATA.
func TestConfigFromServer(t *testing.T) {
	newLab(t, diskSize, func(l *lab) {
		config := l.dev.ServerConfig("")
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			l.Fatal(err)
		}
		var asked atomic.Int32
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case asked.Add(1) == 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.URL.Path != "/52:54:00:12:34:56.yaml":
				http.NotFound(w, r)
			default:
				w.Write(config)
			}
		})}
		go server.Serve(listener)
		defer server.Close()
		// QEMU has this host's loopback at 10.0.2.2.
		arguments := fmt.Sprintf("set arguments=\"coracle.config=http://10.0.2.2:%d/{mac}.yaml coracle.config.digest=sha256:%x\"\n",
			listener.Addr().(*net.TCPAddr).Port, sha256.Sum256(config))
		if err := disk.WriteBootFile(l.dev.Disk(), "coracle/custom.cfg", []byte(arguments)); err != nil {
			l.Fatal(err)
		}
		l.boot(l.standard())
		l.says(`machined: .*It is fetched from http://10\.0\.2\.2`)
		l.source("kernel argument coracle.config")
		server.Close()
		l.machine.PullPlug()
		l.boot(l.standard())
		l.source("DATA")
	})
}

// TestConfigInImage has the config in the image, which counts only where there is no other.
func TestConfigInImage(t *testing.T) {
	onlyInAll(t)
	onlyFor(t, "amd64") // the light image is
	flashedLab(t, "amd64", filepath.Join(light(), "embedded", "coracle-amd64.img"), diskSize, func(l *lab) {
		l.boot(l.small())
		l.says(`machined: milestone config .*the image`)
		l.milestone("node-ready", readyWithin)
		l.machine.PullPlug()
		l.configure(string(l.dev.ServerConfig("")))
		l.boot(l.small())
		l.source("machine.yaml on the BOOT partition")
	})
}

// TestConfigOnVolume has the config on a volume labelled CORACLE.
func TestConfigOnVolume(t *testing.T) {
	newLab(t, diskSize, func(l *lab) {
		path := filepath.Join(l.dev.Dir, "config.img")
		file := filepath.Join(l.dev.Dir, "machine.yaml")
		if err := os.WriteFile(file, l.dev.ServerConfig(""), 0o600); err != nil {
			l.Fatal(err)
		}
		if err := disk.Volume(path, []disk.File{{Name: "machine.yaml", Path: file}}); err != nil {
			l.Fatal(err)
		}
		spec := l.standard()
		spec.Disks[0].Path = path
		l.boot(spec)
		l.source("machine.yaml on the volume CORACLE")
	})
}

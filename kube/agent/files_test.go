package agent

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

func (f files) write(t *testing.T, name string, i *identity) string {
	t.Helper()
	key, err := x509.MarshalECPrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.certificates(), name)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHasClient(t *testing.T) {
	now := time.Now()
	ca, other := issue(t, "ca", nil, now.AddDate(1, 0, 0), nil), issue(t, "ca", nil, now.AddDate(1, 0, 0), nil)
	good := issue(t, "system:node:edge-2", ca, now.AddDate(0, 1, 0), nil)
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, f files)
		want    bool
	}{
		"nothing": {func(*testing.T, files) {}, false},
		"good":    {func(t *testing.T, f files) { link(t, f, f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", good)) }, true},
		"torn, with one from before": {func(t *testing.T, f files) {
			f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", good)
			torn := filepath.Join(f.certificates(), "kubelet-client-2026-02-01-00-00-00.pem")
			if err := os.WriteFile(torn, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			link(t, f, torn)
		}, true},
		"the link is gone": {func(t *testing.T, f files) { f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", good) }, true},
		"of another name": {func(t *testing.T, f files) {
			link(t, f, f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", issue(t, "system:node:edge-3", ca, now.AddDate(0, 1, 0), nil)))
		}, false},
		"of another cluster": {func(t *testing.T, f files) {
			link(t, f, f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", issue(t, "system:node:edge-2", other, now.AddDate(0, 1, 0), nil)))
		}, false},
		"ended": {func(t *testing.T, f files) {
			link(t, f, f.write(t, "kubelet-client-2026-01-01-00-00-00.pem", issue(t, "system:node:edge-2", ca, now.AddDate(0, 0, -1), nil)))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := files{t.TempDir()}
			if err := os.Mkdir(f.certificates(), 0o700); err != nil {
				t.Fatal(err)
			}
			tc.prepare(t, f)
			for range 2 { // what was put right stays so
				if got := f.hasClient("edge-2", ca.cert, now); got != tc.want {
					t.Errorf("got %v", got)
				}
			}
			if got := f.hasClient("edge-2", ca.cert, time.Unix(0, 0)); tc.want && !got {
				t.Error("not with the clock at 1970")
			}
		})
	}
}

func link(t *testing.T, f files, target string) {
	t.Helper()
	if err := os.Symlink(target, f.client()); err != nil {
		t.Fatal(err)
	}
}

// TestTornFiles: what a power cut has emptied is as if it were not there.
func TestTornFiles(t *testing.T) {
	f := files{t.TempDir()}
	for _, path := range []string{f.authority(), f.cluster(), f.node()} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := f.readAuthority(); c != nil || err != nil {
		t.Errorf("authority %v, %v", c, err)
	}
	if _, there := f.readCluster(); there {
		t.Error("settings of the cluster")
	}
	if f.isRegistered(registered{}) {
		t.Error("registered")
	}
	if f.hasRegistered() {
		t.Error("has registered")
	}
	own, told := registered{"edge-2", "abc"}, control.Cluster{PodCIDR: "10.42.0.0/16"}
	if err := f.register(own); err != nil || !f.isRegistered(own) || f.isRegistered(registered{"edge-2", "def"}) || !f.hasRegistered() {
		t.Errorf("registered: %v", err)
	}
	if err := f.writeCluster(told); err != nil {
		t.Fatal(err)
	}
	if got, there := f.readCluster(); !there || got != told {
		t.Errorf("got %+v", got)
	}
}

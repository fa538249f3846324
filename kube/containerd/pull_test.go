package containerd_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/images"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// TestPull pulls images as the kubelet does, from a registry with a private authority that wants a password: as docker.io's
// mirror, and by its own name. It needs root and a kernel with overlayfs, and runs in a mount namespace of its own.
func TestPull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if inOwnMounts(t) {
		return
	}
	registry := &registry{user: "edge", password: "secret", blobs: map[string][]byte{}}
	registry.addImage(t)
	server := httptest.NewTLSServer(registry)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	known := map[string]control.RegistryHost{host: {Username: "edge", Password: "secret", CA: ca}}
	mirrors := map[string]control.Mirror{"docker.io": {Endpoints: []string{server.URL}}}

	for _, tc := range []struct {
		name     string
		settings control.Registries
		image    string
		auth     *cri.AuthConfig // of the pod
		wantErr  string
	}{
		// containerd decodes the configurations of one process into the same value: those without credentials come first.
		{"unknown authority", control.Registries{Mirrors: mirrors}, "small:1", nil, "certificate"},
		{"without a password", control.Registries{Mirrors: mirrors, Hosts: map[string]control.RegistryHost{host: {CA: ca}}}, "docker.io/library/small:1", nil, "auth"},
		{"wrong password", control.Registries{Hosts: map[string]control.RegistryHost{host: {CA: ca, Username: "edge", Password: "x"}}}, host + "/library/small:1", nil, "401"},
		{"the pod's password", control.Registries{Hosts: map[string]control.RegistryHost{host: {CA: ca}}}, host + "/library/small:1", &cri.AuthConfig{Username: "edge", Password: "secret"}, ""},
		{"by its own name", control.Registries{Hosts: known}, host + "/library/small:1", nil, ""},
		{"as a mirror", control.Registries{Mirrors: mirrors, Hosts: known}, "small:1", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "pull") // short: sockets are in it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			stop := serve(t, containerd.Config{
				Root: dir + "/root", State: dir + "/state", Socket: dir + "/c.sock", SandboxImage: images.Pause,
				CNIBinDir: dir + "/bin", CNIConfDir: dir + "/net.d", RegistryDir: dir + "/certs.d", Registries: tc.settings,
			})
			defer stop()
			registry.reset()
			_, err = connect(t, dir+"/c.sock").images.PullImage(t.Context(), &cri.PullImageRequest{Image: &cri.ImageSpec{Image: tc.image}, Auth: tc.auth})
			if tc.wantErr == "" && err != nil || tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("got %v, want %q", err, tc.wantErr)
			}
			if tc.wantErr == "" && !registry.served() {
				t.Error("the registry was not asked for the image")
			}
		})
	}
}

// registry serves one image to those who know the password.
type registry struct {
	user, password string
	manifest       []byte
	blobs          map[string][]byte // by digest

	mu     sync.Mutex
	layers int
}

func (r *registry) reset() { r.mu.Lock(); r.layers = 0; r.mu.Unlock() }

func (r *registry) served() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.layers > 0 }

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if user, password, _ := request.BasicAuth(); user != r.user || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	const base = "/v2/library/small/"
	switch path, found := strings.CutPrefix(request.URL.Path, base); {
	case found && strings.HasPrefix(path, "manifests/"):
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digestOf(r.manifest))
		w.Header().Set("Content-Length", fmt.Sprint(len(r.manifest)))
		if request.Method != http.MethodHead {
			_, _ = w.Write(r.manifest)
		}
	case found && strings.HasPrefix(path, "blobs/"):
		blob, known := r.blobs[strings.TrimPrefix(path, "blobs/")]
		if !known {
			http.NotFound(w, request)
			return
		}
		r.mu.Lock()
		r.layers++
		r.mu.Unlock()
		_, _ = w.Write(blob)
	default:
		http.NotFound(w, request)
	}
}

func (r *registry) addImage(t *testing.T) {
	t.Helper()
	type object = map[string]any
	var layer bytes.Buffer
	l := tar.NewWriter(&layer)
	if err := l.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: 5, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(l, "hello")
	l.Close()
	add := func(mediaType string, content []byte) object {
		r.blobs[digestOf(content)] = content
		return object{"mediaType": mediaType, "digest": digestOf(content), "size": len(content)}
	}
	marshal := func(v any) []byte { b, _ := json.Marshal(v); return b }
	const oci = "application/vnd.oci.image."
	layerDesc := add(oci+"layer.v1.tar", layer.Bytes())
	config := add(oci+"config.v1+json", marshal(object{
		"os": "linux", "architecture": runtime.GOARCH, "rootfs": object{"type": "layers", "diff_ids": []any{layerDesc["digest"]}},
	}))
	r.manifest = marshal(object{"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": []any{layerDesc}})
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

package boottest

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry has one image, of which every name is good, for whom knows the password.
type registry struct {
	username, password string
	blobs              map[string][]byte // by digest
	manifest           ocispec.Descriptor
	authority          *x509.Certificate // that vouches for it

	mu     sync.Mutex
	served map[string]int // requests with the password, by the host that was asked for
}

// newRegistry has the image of an OCI layout in a tar.
func newRegistry(t testing.TB, path string) *registry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v; `make image` builds it", err)
	}
	defer f.Close()
	r := &registry{username: "edge", password: "let me pull", blobs: map[string][]byte{}, served: map[string]int{}}
	var index ocispec.Index
	for files := tar.NewReader(f); ; {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch dir, name := filepath.Split(header.Name); {
		case name == "index.json":
			err = json.Unmarshal(content, &index)
		case strings.HasSuffix(dir, "blobs/sha256/"):
			r.blobs["sha256:"+name] = content
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", path, header.Name, err)
		}
	}
	if len(index.Manifests) != 1 {
		t.Fatalf("%s: %d images, want one", path, len(index.Manifests))
	}
	r.manifest = index.Manifests[0]
	return r
}

// ServeHTTP is what pulls need of the OCI distribution specification.
func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if username, password, _ := q.BasicAuth(); username != r.username || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="plant"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	r.served[q.Host]++
	r.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(q.URL.Path, "/v2/"), "/")
	kind, digest := "", parts[len(parts)-1]
	if len(parts) > 1 {
		kind = parts[len(parts)-2]
	}
	media := "application/octet-stream"
	switch {
	case q.URL.Path == "/v2/":
		return
	case kind == "manifests":
		media, digest = r.manifest.MediaType, r.manifest.Digest.String()
	case kind != "blobs":
		digest = ""
	}
	blob, found := r.blobs[digest]
	if !found {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Docker-Content-Digest", digest)
	http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(blob))
}

// requests is how many requests with the password came for host.
func (r *registry) requests(host string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served[host]
}

// start serves on this host's loopback, with a certificate for names and addresses that a new authority signs, and returns the
// address.
func (r *registry) start(t testing.TB, names ...string) net.Addr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	template := func(name string, authority bool) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: authority, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		}
	}
	sign := func(c, parent *x509.Certificate, key *ecdsa.PrivateKey, parentKey *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	authority, own := template("the plant's authority", true), template("the plant's registry", false)
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			own.IPAddresses = append(own.IPAddresses, ip)
		} else {
			own.DNSNames = append(own.DNSNames, name)
		}
	}
	r.authority = sign(authority, authority, keys[0], keys[0])
	own = sign(own, r.authority, keys[1], keys[0])
	server := &http.Server{Handler: r, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: keys[1]}},
	}}
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close() })
	return listener.Addr()
}

// settings are YAML for machine.registries.hosts, indented by six spaces, of the registry under those names.
func (r *registry) settings(hosts ...string) string {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.authority.Raw})
	var b strings.Builder
	for _, host := range hosts {
		fmt.Fprintf(&b, "      %q: {username: %s, password: %s, ca: %q}\n", host, r.username, r.password, authority)
	}
	return b.String()
}

package pki

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func testConfig(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	return Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		NodeName: "edge-1", NodeIPs: []net.IP{net.ParseIP("192.0.2.7")}, ServiceIP: net.ParseIP("10.43.0.1"),
		ClusterDomain: "cluster.local", ExtraSANs: []string{"edge.example", "198.51.100.9"}, APIPort: 6443, Fresh: true,
	}
}

func at(year int) func() time.Time {
	return func() time.Time { return time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC) }
}

func mustOpen(t *testing.T, config Config, now func() time.Time) *PKI {
	t.Helper()
	p, err := open(config, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func verify(t *testing.T, p *PKI, name string, usage x509.ExtKeyUsage, host string, now time.Time) error {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Cert(name), p.Key(name))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, p.ClusterCA())))
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}, DNSName: host, CurrentTime: now})
	return err
}

func TestCertificatesVerifyFrom1970On(t *testing.T) {
	p := mustOpen(t, testConfig(t), at(2026))
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "edge-1", "192.0.2.7", "10.43.0.1", "kubernetes.default.svc.cluster.local", "edge.example", "198.51.100.9"} {
		if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, host, at(2026)()); err != nil {
			t.Errorf("apiserver as %s: %v", host, err)
		}
	}
	if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, "localhost", epoch.Add(time.Second)); err != nil {
		t.Errorf("with the clock at 1970: %v", err)
	}
	if err := verify(t, p, KubeletServing, x509.ExtKeyUsageServerAuth, "192.0.2.7", at(2026)()); err != nil {
		t.Errorf("kubelet: %v", err)
	}
	if err := verify(t, p, Kubelet, x509.ExtKeyUsageServerAuth, "", at(2026)()); err == nil {
		t.Error("the kubelet's client certificate may serve")
	}
}

// TestEndpoint: what clients reach the API by is in its certificate, and in the operator's kubeconfig.
func TestEndpoint(t *testing.T) {
	for endpoint, host := range map[string]string{"kube.example.com:7443": "kube.example.com", "203.0.113.5:6443": "203.0.113.5", "": "192.0.2.7"} {
		config := testConfig(t)
		config.Endpoint = endpoint
		p := mustOpen(t, config, at(2026))
		if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, host, at(2026)()); err != nil {
			t.Errorf("%q: %v", endpoint, err)
		}
		kubeconfig, err := clientcmd.LoadFromFile(p.AdminKubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		if want := "https://" + cmp.Or(endpoint, "192.0.2.7:6443"); kubeconfig.Clusters[clusterName].Server != want {
			t.Errorf("kubeconfig leads to %s, want %s", kubeconfig.Clusters[clusterName].Server, want)
		}
		config.Endpoint, config.Fresh = "", false
		if kubeconfig, err = clientcmd.LoadFromFile(mustOpen(t, config, at(2026)).AdminKubeconfig()); err != nil || kubeconfig.Clusters[clusterName].Server != "https://192.0.2.7:6443" {
			t.Errorf("without the endpoint again: %v, %v", kubeconfig, err)
		}
	}
}

func TestSecondOpenChangesNothing(t *testing.T) {
	config := testConfig(t)
	p := mustOpen(t, config, at(2026))
	before := map[string]string{}
	paths := []string{p.ClusterCA(), p.ClusterCAKey(), p.FrontProxyCA(), p.ServiceAccountKey(), p.EncryptionConfig(), p.AdminKubeconfig(), p.Cert(APIServer), p.Key(APIServer)}
	for _, path := range paths {
		before[path] = read(t, path)
	}
	config.Fresh = false
	mustOpen(t, config, at(2026))
	for _, path := range paths {
		if read(t, path) != before[path] {
			t.Errorf("%s was made again", path)
		}
	}
}

func TestRenewal(t *testing.T) {
	config := testConfig(t)
	now := at(2026)()
	p := mustOpen(t, config, func() time.Time { return now })
	first, key := read(t, p.Cert(Kubelet)), read(t, p.Key(Kubelet))

	now = now.Add(LeafLifetime/3*2 - time.Hour)
	if err := p.renew(); err != nil {
		t.Fatal(err)
	}
	if read(t, p.Cert(Kubelet)) != first {
		t.Error("renewed before two thirds of its life")
	}
	now = now.Add(2 * time.Hour)
	if err := p.renew(); err != nil {
		t.Fatal(err)
	}
	if read(t, p.Cert(Kubelet)) == first {
		t.Error("not renewed after two thirds of its life")
	}
	if read(t, p.Key(Kubelet)) != key {
		t.Error("the renewal replaced the key")
	}

	now = now.AddDate(5, 0, 0) // the clock was wrong and is set
	if err := p.renew(); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, "localhost", now); err != nil {
		t.Errorf("after a jump of the clock: %v", err)
	}
	if _, err := tls.LoadX509KeyPair(p.Cert(APIServer), p.Key(APIServer)); err != nil {
		t.Error(err)
	}
}

func TestNewAddressMeansNewCertificate(t *testing.T) {
	config := testConfig(t)
	mustOpen(t, config, at(2026))
	config.NodeIPs, config.Fresh = []net.IP{net.ParseIP("192.0.2.8")}, false
	p := mustOpen(t, config, at(2026))
	if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, "192.0.2.8", at(2026)()); err != nil {
		t.Error(err)
	}
	admin, err := clientcmd.LoadFromFile(p.AdminKubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if got := admin.Clusters[clusterName].Server; got != "https://192.0.2.8:6443" {
		t.Errorf("admin kubeconfig points to %s", got)
	}
}

func TestDamage(t *testing.T) {
	for name, tc := range map[string]struct {
		file    func(*PKI) string
		content string // "": the file is deleted
		fatal   bool
	}{
		"leaf torn":             {func(p *PKI) string { return p.Cert(APIServer) }, "-----BEGIN CERT", false},
		"leaf key empty":        {func(p *PKI) string { return p.Key(APIServer) }, "\n", false},
		"admin torn":            {(*PKI).AdminKubeconfig, "apiVersion: v1\nkind", false},
		"CA certificate gone":   {(*PKI).ClusterCA, "", false},
		"CA certificate torn":   {(*PKI).ClusterCA, "-----BEGIN CERTIFICATE-----\nMIIB", false},
		"CA key gone":           {(*PKI).ClusterCAKey, "", true},
		"CA key torn":           {(*PKI).ClusterCAKey, "-----BEGIN EC PRIV", true},
		"token key empty":       {(*PKI).ServiceAccountKey, "\n", true},
		"encryption key gone":   {(*PKI).EncryptionConfig, "", true},
		"encryption key zeroed": {(*PKI).EncryptionConfig, "\x00\x00\x00\x00", true},
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t)
			p := mustOpen(t, config, at(2026))
			path := tc.file(p)
			if tc.content == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			config.Fresh = false
			p, err := open(config, at(2026))
			var damaged *DamagedError
			if tc.fatal {
				if !errors.As(err, &damaged) || damaged.Path != path {
					t.Fatalf("got %v, want an error about %s", err, path)
				}
				config.Fresh = true
				if _, err := open(config, at(2026)); err != nil {
					t.Errorf("nothing depends on it yet, but: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, p, APIServer, x509.ExtKeyUsageServerAuth, "localhost", at(2026)()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A disk that fails may give neither the database, so that the cluster looks new, nor the keys. They may be whole.
func TestUnreadableIsNotReplaced(t *testing.T) {
	for name, file := range map[string]func(*PKI) string{
		"CA key": (*PKI).ClusterCAKey, "token key": (*PKI).ServiceAccountKey, "encryption key": (*PKI).EncryptionConfig,
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t)
			path := file(mustOpen(t, config, at(2026)))
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil { // reading it is an error
				t.Fatal(err)
			}
			var damaged *DamagedError
			if _, err := open(config, at(2026)); !errors.As(err, &damaged) || damaged.Path != path {
				t.Errorf("got %v, want an error about %s", err, path)
			}
		})
	}
}

// Whoever trusted the authority before its certificate was made again trusts it still.
func TestRemadeAuthorityKeepsItsTrust(t *testing.T) {
	config := testConfig(t)
	p := mustOpen(t, config, at(2026))
	old := read(t, p.ClusterCA())
	if err := os.Remove(p.ClusterCA()); err != nil {
		t.Fatal(err)
	}
	config.Fresh = false
	p = mustOpen(t, config, at(2027))
	pair, err := tls.LoadX509KeyPair(p.Cert(APIServer), p.Key(APIServer))
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(pair.Certificate[0])
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(old))
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: at(2027)()}); err != nil {
		t.Error(err)
	}
}

func TestKeysArePrivate(t *testing.T) {
	p := mustOpen(t, testConfig(t), at(2026))
	public := []string{p.ClusterCA(), p.FrontProxyCA()}
	for _, dir := range []string{p.config.StateDir, p.config.RunDir} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(path) != ".crt" && !slices.Contains(public, path) && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", path, info.Mode().Perm())
			}
		}
	}
}

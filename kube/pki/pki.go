// Package pki keeps the keys and certificates of a server.
//
// What cannot be replaced is on disk, in the state folder: the two certificate authorities, the key that signs service
// account tokens, and the key that encrypts Secrets at rest. What can be replaced, every leaf certificate and its key, is on
// tmpfs in the run folder: made anew at each boot, renewed in place when a third of its life is left. So flash is written
// once, and a power cut cannot tear what is not on disk.
//
// A machine without a battery-backed clock may believe that it is 1970. Certificates are therefore valid from the Unix
// epoch on, and the renewal looks at the wall clock every few seconds instead of sleeping towards a date.
package pki

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/transport"
)

// Lifetimes of certificates.
const (
	AuthorityLifetime = 100 * 365 * 24 * time.Hour
	LeafLifetime      = 90 * 24 * time.Hour
	AdminLifetime     = 365 * 24 * time.Hour // an operator's file is copied off the machine and not renewed there
	CheckInterval     = 10 * time.Second     // half of how long a jump of the clock past all leaves can go unnoticed
)

// Config says for which server certificates are made.
type Config struct {
	StateDir      string // of the authorities and keys; on disk
	RunDir        string // of the leaf certificates; on tmpfs
	NodeName      string
	NodeIPs       []net.IP // first is the primary
	ServiceIP     net.IP   // of the Service "kubernetes"
	ClusterDomain string
	ExtraSANs     []string // names and addresses
	Endpoint      string   // host:port by which clients reach the API; empty: at the first node IP
	APIPort       int
	Fresh         bool // there is no datastore yet, so missing authorities and keys may be made
}

// PKI is a server's keys and certificates, present and valid.
type PKI struct {
	config     Config
	cluster    *authority
	frontProxy *authority
	now        func() time.Time
}

// Open makes what is missing and renews what is due. It refuses to replace what the existing cluster depends on: the error
// names the file and says what can be done.
func Open(config Config) (*PKI, error) {
	return open(config, time.Now)
}

func open(config Config, now func() time.Time) (*PKI, error) {
	for _, dir := range []string{config.StateDir, config.RunDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create PKI folder: %w", err)
		}
	}
	// client-go keeps a connection, and with it a certificate that the clock may have left behind, until it has looked at the
	// files: after five minutes, unless told otherwise before the first client is made.
	transport.CertCallbackRefreshDuration = CheckInterval

	p := &PKI{config: config, now: now}
	var err error
	if p.cluster, err = openAuthority(p.ClusterCA(), p.ClusterCAKey(), "coracle-cluster-ca", config.Fresh, now()); err != nil {
		return nil, err
	}
	if p.frontProxy, err = openAuthority(p.FrontProxyCA(), p.state("front-proxy-ca.key"), "coracle-front-proxy-ca", config.Fresh, now()); err != nil {
		return nil, err
	}
	if err := ensureKey(p.ServiceAccountKey(), "service account tokens", config.Fresh); err != nil {
		return nil, err
	}
	if err := ensureEncryption(p.EncryptionConfig(), config.Fresh); err != nil {
		return nil, err
	}
	if err := p.renew(); err != nil {
		return nil, err
	}
	return p, p.writeKubeconfigs()
}

// Run renews leaf certificates until ctx is cancelled. The apiserver, the kubelet and client-go reload them from their files.
func (p *PKI) Run(ctx context.Context) error {
	ticker := time.NewTicker(CheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := p.renew(); err != nil {
				slog.Error("cannot renew certificates, trying again", "error", err, "in", CheckInterval)
			}
		}
	}
}

func (p *PKI) renew() error {
	for _, l := range p.leaves() {
		renewed, err := l.ensure(p.config.RunDir, p.now())
		if err != nil {
			return err
		}
		if renewed {
			slog.Info("certificate issued", "name", l.name, "until", p.now().Add(l.lifetime).UTC().Format(time.DateOnly))
		}
	}
	return p.ensureAdminKubeconfig()
}

func (p *PKI) state(name string) string { return filepath.Join(p.config.StateDir, name) }
func (p *PKI) run(name string) string   { return filepath.Join(p.config.RunDir, name) }

// ClusterAuthority is the certificate of the authority that everything in the cluster trusts.
func (p *PKI) ClusterAuthority() *x509.Certificate { return p.cluster.cert }

// Endpoint is where others reach the API: host:port.
func (p *PKI) Endpoint() string {
	return cmp.Or(p.config.Endpoint, net.JoinHostPort(p.config.NodeIPs[0].String(), strconv.Itoa(p.config.APIPort)))
}

// APIServerNames are the names and addresses under which clients reach the apiserver.
func (p *PKI) APIServerNames() (names []string, ips []net.IP) { return p.apiServerSANs() }

// Files of the authorities and keys.
func (p *PKI) ClusterCA() string         { return p.state("cluster-ca.crt") }
func (p *PKI) ClusterCAKey() string      { return p.state("cluster-ca.key") }
func (p *PKI) FrontProxyCA() string      { return p.state("front-proxy-ca.crt") }
func (p *PKI) ServiceAccountKey() string { return p.state("service-account.key") }
func (p *PKI) EncryptionConfig() string  { return p.state("encryption.yaml") }

// AdminKubeconfig is the operator's kubeconfig, self-contained.
func (p *PKI) AdminKubeconfig() string { return p.state("admin.kubeconfig") }

// Cert and Key are the files of a leaf certificate.
func (p *PKI) Cert(name string) string { return p.run(name + ".crt") }
func (p *PKI) Key(name string) string  { return p.run(name + ".key") }

// Kubeconfig is the file with which a component reaches the apiserver on the loopback interface.
func (p *PKI) Kubeconfig(name string) string { return p.run(name + ".kubeconfig") }

package agent

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

// files are what an agent keeps of its cluster on DATA. With them it starts without a server.
type files struct{ dir string }

func (f files) authority() string    { return filepath.Join(f.dir, "cluster-ca.crt") }
func (f files) cluster() string      { return filepath.Join(f.dir, control.ClusterKey) }
func (f files) node() string         { return filepath.Join(f.dir, "node.json") }
func (f files) certificates() string { return filepath.Join(f.dir, "pki") } // the kubelet renews what is there

// Certificates in upstream's file store: kubelet-client-current.pem is a link to the last of kubelet-client-DATE.pem.
const pairName = "kubelet-client"

func (f files) client() string { return filepath.Join(f.certificates(), pairName+"-current.pem") }

// readAuthority is the cluster's authority; nil: the machine has not been in contact with it yet.
func (f files) readAuthority() (*x509.Certificate, error) {
	text, err := os.ReadFile(f.authority())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the cluster's authority: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil // torn: it is asked for again
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		slog.Warn("the cluster's authority cannot be read and is asked for again", "error", err)
		return nil, nil
	}
	return c, nil
}

func (f files) writeAuthority(c *x509.Certificate) error {
	return atomicfile.Write(f.authority(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o644)
}

// readCluster is what the server said of the cluster the last time; false: nothing yet.
func (f files) readCluster() (control.Cluster, bool) {
	var c control.Cluster
	text, err := os.ReadFile(f.cluster())
	return c, err == nil && json.Unmarshal(text, &c) == nil
}

func (f files) writeCluster(c control.Cluster) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return atomicfile.Write(f.cluster(), text, 0o644)
}

// registered is who this machine is in its cluster. It is written when the name was found to be free, or its own.
type registered struct {
	Node      string `json:"node"`
	MachineID string `json:"machineID"`
}

func (f files) isRegistered(r registered) bool {
	var was registered
	text, err := os.ReadFile(f.node())
	return err == nil && json.Unmarshal(text, &was) == nil && was == r
}

// hasRegistered reports whether this machine is, or was, a node of the cluster, by whatever name.
func (f files) hasRegistered() bool {
	var was registered
	text, err := os.ReadFile(f.node())
	return err == nil && json.Unmarshal(text, &was) == nil && was.Node != ""
}

func (f files) register(r registered) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.Write(f.node(), text, 0o644)
}

// hasClient reports whether there is a client certificate of the node's that is good for the cluster. One that a power cut has torn
// is replaced by the one before.
func (f files) hasClient(node string, authority *x509.Certificate, now time.Time) bool {
	if good(f.client(), node, authority, now) {
		return true
	}
	names, _ := filepath.Glob(filepath.Join(f.certificates(), pairName+"-2*.pem")) // years
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		if !good(name, node, authority, now) {
			continue
		}
		if err := relink(name, f.client()); err != nil {
			slog.Warn("cannot use an earlier certificate", "file", name, "error", err)
			return false
		}
		slog.Warn("the certificate of this node was damaged or has ended; an earlier one is good", "file", name)
		return true
	}
	return false
}

// good is whether a file has a certificate of the node, and its key, that can be used until now at least. A clock that is behind
// its beginning does no harm: servers look at their own.
func good(path, node string, authority *x509.Certificate, now time.Time) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return false
	}
	c, err := x509.ParseCertificate(pair.Certificate[0])
	return err == nil && c.Subject.CommonName == userNode+node && now.Before(c.NotAfter) && c.CheckSignatureFrom(authority) == nil &&
		bytes.Equal(c.RawIssuer, authority.RawSubject)
}

func relink(target, link string) error {
	temporary := strings.TrimSuffix(link, ".pem") + ".new"
	_ = os.Remove(temporary)
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, link); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(link))
}

package agent

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/token"
)

// How long it takes until a join is tried again that did not succeed: this, then twice as long, up to the limit.
const (
	retryFirst  = 2 * time.Second
	retryAtMost = 30 * time.Second
)

// Joiner makes this machine a part of its cluster. What it has of it already it does not ask for again, so that a machine that has
// joined starts without a server.
type Joiner struct {
	Dir       string // what is kept; on DATA
	Endpoint  string // host:port of the servers' API
	Node      string // this machine's name
	MachineID string
	Token     token.Token
	Report    func(problems []string) // is told why it has not joined; nil: all is well
}

// Prepare makes the folders of what is kept.
func (j *Joiner) Prepare() error {
	for _, dir := range []string{j.Dir, j.files().certificates()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create a folder of kube: %w", err)
		}
	}
	return nil
}

func (j *Joiner) files() files { return files{j.Dir} }

// Join tries until the machine is a part of its cluster.
func (j *Joiner) Join(ctx context.Context) (control.Cluster, error) {
	for wait := retryFirst; ; wait = min(2*wait, retryAtMost) {
		c, err := j.Once(ctx)
		if err == nil {
			j.Report(j.otherCluster())
			return c, nil
		}
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		slog.Warn("this machine is not in its cluster yet", "error", err, "again in", wait)
		j.Report([]string{err.Error()})
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Once tries once.
func (j *Joiner) Once(ctx context.Context) (control.Cluster, error) {
	authority, err := j.authority(ctx)
	if err != nil {
		return control.Cluster{}, err
	}
	if !j.files().hasClient(j.Node, authority, time.Now()) {
		if token.Hash(authority) != j.Token.Hash {
			return control.Cluster{}, fmt.Errorf("%s; reset this machine (coraclectl reset) to move it, or set a token of the cluster that it is in", j.otherCluster()[0])
		}
		if err := requestClient(ctx, j.files(), j.Endpoint, j.Node, j.Token); err != nil {
			return control.Cluster{}, err
		}
		slog.Info("the servers have issued a certificate for this node", "node", j.Node)
	}
	c, err := j.cluster(ctx)
	if err != nil {
		return c, err
	}
	return c, j.register(ctx)
}

// authority is that of the cluster, which is known or asked for.
func (j *Joiner) authority(ctx context.Context) (*x509.Certificate, error) {
	c, err := j.files().readAuthority()
	if err != nil {
		return nil, err
	}
	if c != nil && (token.Hash(c) == j.Token.Hash || j.files().hasRegistered()) {
		return c, nil
	}
	// None, or that of a cluster that this machine has a token for no longer and has never been in.
	if c, err = discover(ctx, j.Endpoint, j.Token.Hash); err != nil {
		return nil, err
	}
	slog.Info("the servers have the authority that the token names", "endpoint", j.Endpoint, "authority", token.Short(j.Token.Hash))
	return c, j.files().writeAuthority(c)
}

// otherCluster is what to say of a token that is for another cluster than the one that this machine is in. The machine stays where
// it is.
func (j *Joiner) otherCluster() []string {
	c, err := j.files().readAuthority()
	if err != nil || c == nil || token.Hash(c) == j.Token.Hash {
		return nil
	}
	return []string{fmt.Sprintf("cluster.token is of another cluster (%s…) than the one that this machine is in (%s…), and is not used", token.Short(j.Token.Hash), token.Short(token.Hash(c)))}
}

// client is a client with the node's own certificate.
func (j *Joiner) client() (kubernetes.Interface, error) {
	c, err := kubernetes.NewForConfig(j.Config())
	if err != nil {
		return nil, fmt.Errorf("client of the apiserver: %w", err)
	}
	return c, nil
}

// Config is that of a client with the node's own certificate, which is read again when it is renewed.
func (j *Joiner) Config() *rest.Config {
	c := config(j.Endpoint, j.files().authority())
	c.CertFile, c.KeyFile = j.files().client(), j.files().client()
	return c
}

// cluster is what the server says of the cluster, or said.
func (j *Joiner) cluster(ctx context.Context) (control.Cluster, error) {
	if c, there := j.files().readCluster(); there && process.ValidateCluster(c) == nil {
		return c, nil
	}
	client, err := j.client()
	if err != nil {
		return control.Cluster{}, err
	}
	c, err := fetchCluster(ctx, client)
	if err != nil {
		return c, j.explainNode(err)
	}
	return c, j.files().writeCluster(c)
}

// fetchCluster asks the server.
func fetchCluster(ctx context.Context, client kubernetes.Interface) (control.Cluster, error) {
	var c control.Cluster
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, control.ClusterConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return c, fmt.Errorf("the servers do not say yet what agents have to know (ConfigMap %s): %w", control.ClusterConfigMap, err)
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(config.Data[control.ClusterKey]), &c); err != nil {
		return c, fmt.Errorf("ConfigMap %s: %w", control.ClusterConfigMap, err)
	}
	if err := process.ValidateCluster(c); err != nil {
		return c, fmt.Errorf("ConfigMap %s: %w", control.ClusterConfigMap, err)
	}
	return c, nil
}

// register makes sure that the node of this machine's name, if there is one, is this machine's. Two that take turns in one Node would
// stop each other's pods.
func (j *Joiner) register(ctx context.Context) error {
	own := registered{j.Node, j.MachineID}
	if j.files().isRegistered(own) {
		return nil
	}
	client, err := j.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, j.Node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return j.explainNode(err)
	case node.Status.NodeInfo.MachineID != "" && node.Status.NodeInfo.MachineID != j.MachineID:
		return fmt.Errorf("the name %s is that of another machine in the cluster (its machine ID is %.8s…, this one's %.8s…): give this machine another name (machine.name), "+
			"or, if the other one is gone for good, kubectl delete node %s", j.Node, node.Status.NodeInfo.MachineID, j.MachineID, j.Node)
	}
	return j.files().register(own)
}

// explainNode puts into words why the API does not do what a node asks.
func (j *Joiner) explainNode(err error) error {
	var status apierrors.APIStatus
	if apierrors.IsUnauthorized(err) {
		return fmt.Errorf("the servers do not accept the certificate of this node; are their clock and this machine's right? %w", err)
	}
	if errors.As(err, &status) || strings.HasPrefix(err.Error(), "ConfigMap ") || strings.HasPrefix(err.Error(), "the servers ") {
		return err
	}
	return explain(j.Endpoint, err)
}

// readMachineID is the machine's, as the kubelet reports it.
func readMachineID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the machine's ID: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

package pki

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// writeKubeconfigs writes the kubeconfigs of this process's own clients. They name files, which client-go reloads.
func (p *PKI) writeKubeconfigs() error {
	server := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(p.config.APIPort))
	for _, name := range []string{ControllerManager, Scheduler, Proxy, Kubelet, System} {
		config := kubeconfig(name,
			&api.Cluster{Server: server, CertificateAuthority: p.ClusterCA()},
			&api.AuthInfo{ClientCertificate: p.Cert(name), ClientKey: p.Key(name)})
		data, err := clientcmd.Write(*config)
		if err != nil {
			return fmt.Errorf("encode kubeconfig of %s: %w", name, err)
		}
		if err := atomicfile.Write(p.Kubeconfig(name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ensureAdminKubeconfig keeps the operator's kubeconfig valid: an operator who fetches it gets at least four months.
func (p *PKI) ensureAdminKubeconfig() error {
	server := "https://" + p.Endpoint()
	l := leaf{
		name: "admin", authority: p.cluster, commonName: "coracle:admin", organizations: []string{groupMasters},
		usage: x509.ExtKeyUsageClientAuth, lifetime: AdminLifetime,
	}
	path := p.AdminKubeconfig()
	if p.adminIsGood(path, server, l) {
		return nil
	}
	key, keyPEM, err := generateKey()
	if err != nil {
		return err
	}
	certPEM, err := l.sign(key.Public(), p.now())
	if err != nil {
		return err
	}
	data, err := clientcmd.Write(*kubeconfig("admin",
		&api.Cluster{Server: server, CertificateAuthorityData: p.cluster.certPEM},
		&api.AuthInfo{ClientCertificateData: certPEM, ClientKeyData: keyPEM}))
	if err != nil {
		return fmt.Errorf("encode the admin kubeconfig: %w", err)
	}
	slog.Info("admin kubeconfig written", "file", path, "server", server)
	return atomicfile.Write(path, data, 0o600)
}

func (p *PKI) adminIsGood(path, server string, l leaf) bool {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		if !os.IsNotExist(err) {
			slog.Warn("admin kubeconfig was damaged, making a new one", "file", path, "error", err)
		}
		return false
	}
	cluster, user := config.Clusters[clusterName], config.AuthInfos["admin"]
	if cluster == nil || user == nil || cluster.Server != server || string(cluster.CertificateAuthorityData) != string(p.cluster.certPEM) {
		return false
	}
	cert, err := decodeCert(user.ClientCertificateData)
	if err != nil {
		return false
	}
	key, err := decodeKey(user.ClientKeyData)
	return err == nil && l.matches(cert, key.Public(), p.now())
}

const clusterName = "coracle"

func kubeconfig(user string, cluster *api.Cluster, auth *api.AuthInfo) *api.Config {
	config := api.NewConfig()
	config.Clusters[clusterName] = cluster
	config.AuthInfos[user] = auth
	config.Contexts[clusterName] = &api.Context{Cluster: clusterName, AuthInfo: user}
	config.CurrentContext = clusterName
	return config
}

package node

// Credentials are the files with which a node shows who it is, and by which it knows others.
type Credentials struct {
	Kubelet  string // kubeconfig of the kubelet
	Proxy    string // kubeconfig of kube-proxy
	ClientCA string // of those who ask the kubelet
	// Certificate and key that the kubelet serves with. Empty: it asks the cluster for one, and renews that and its client
	// certificate, as upstream's kubelets do (kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping).
	ServingCert, ServingKey string
	Dir                     string // where certificates are that the kubelet asks for
}

func (c Credentials) asks() bool { return c.ServingCert == "" }

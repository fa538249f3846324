package flags

import (
	"slices"
	"strings"
)

// owner is why a config may not set some flags.
type owner struct {
	components []string
	names      []string // a * at the end stands for anything
	why        string   // completes "--flag …"
}

func (o owner) has(component, name string) bool {
	return slices.Contains(o.components, component) && slices.ContainsFunc(o.names, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

var (
	allButAPIServer = []string{ControllerManager, Scheduler, Kubelet, KubeProxy}
	withoutServer   = []string{ControllerManager, Scheduler} // theirs is turned off
)

// owned are the flags that are Coracle's to set, or would do nothing here.
var owned = []owner{
	{Components, []string{"v", "vmodule", "log-*", "logging-format"}, "is for the log of the whole process, which is Coracle's"},
	{allButAPIServer, []string{"feature-gates"}, "is for the whole process: set it in cluster.apiServer.extraArgs"},
	{Components, []string{"emulated-version", "min-compatibility-version", "emulation-forward-compatible", "runtime-config-emulation-forward-compatible"}, "would make it another version than that of the image"},
	{Components, []string{"profiling", "contention-profiling", "debug-socket-path"}, "is not needed: kube's control socket has profiles of the whole process"},
	{Components, []string{"kubeconfig", "master", "bootstrap-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"}, "is set by Coracle, which makes the credentials of each component"},
	{Components, []string{"config", "config-dir", "write-config-to"}, "would put a file in place of the flags that Coracle sets; give single flags"},
	{Components, []string{"leader-*", "enable-leader-migration"}, "is set by Coracle: there is one of it in a cluster"},
	{Components, []string{"oom-score-adj"}, "is that of the whole process, which init sets"},

	// Addresses, ports and networks.
	{[]string{APIServer}, []string{"advertise-address", "bind-address", "secure-port", "permit-*"}, "is set by Coracle from the node's address; the port is 6443"},
	{[]string{APIServer}, []string{"kubelet-port", "kubelet-read-only-port"}, "is set by Coracle, which runs the kubelet"},
	{[]string{APIServer, ControllerManager}, []string{"service-cluster-ip-range"}, "is set by Coracle: see cluster.serviceCIDR"},
	{[]string{ControllerManager, KubeProxy}, []string{"cluster-cidr", "allocate-node-cidrs", "cidr-allocator-type", "node-cidr-mask-size*"}, "is set by Coracle: see cluster.podCIDR, of which each node takes a /24 and a /64"},
	{[]string{Kubelet}, []string{"pod-cidr"}, "is set by Coracle: see cluster.podCIDR, of which each node takes a /24 and a /64"},
	{[]string{Kubelet}, []string{"address", "port", "read-only-port", "healthz-*", "enable-server"}, "is set by Coracle, whose other parts ask the kubelet there"},
	{[]string{KubeProxy}, []string{"bind-address", "bind-address-hard-fail", "healthz-*", "metrics-bind-address", "metrics-port"}, "is set by Coracle, which gives each part a port of its own"},
	{[]string{Kubelet}, []string{"node-ip", "hostname-override"}, "is set by Coracle: see machine.name and machine.network"},
	{[]string{KubeProxy}, []string{"hostname-override"}, "is set by Coracle: see machine.name"},
	{[]string{Kubelet}, []string{"cluster-dns", "cluster-domain"}, "is set by Coracle: see cluster.serviceCIDR and cluster.domain"},
	{withoutServer, []string{
		"bind-address", "secure-port", "cert-dir", "tls-*", "client-ca-file", "requestheader-*", "authentication-*", "authorization-*", "permit-*", "disable-http2-serving",
		"http2-max-streams-per-connection",
	}, "does nothing here: it serves nothing, and its metrics are among those of the Kubernetes API"},

	// The datastore.
	{[]string{APIServer}, []string{
		"etcd-servers", "etcd-servers-overrides", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-prefix", "storage-backend", "storage-media-type", "encryption-provider-config*",
	}, "is set by Coracle: see cluster.datastore"},

	// Keys, certificates, and who may do what.
	{[]string{APIServer}, []string{
		"tls-cert-file", "tls-private-key-file", "cert-dir", "client-ca-file", "requestheader-*", "proxy-client-*", "kubelet-certificate-authority", "kubelet-client-*", "peer-*",
		"service-account-key-file", "service-account-signing-*", "service-account-issuer",
	}, "is set by Coracle, which makes the cluster's keys and certificates"},
	{[]string{ControllerManager}, []string{
		"root-ca-file", "service-account-private-key-file", "use-service-account-credentials", "cluster-signing-cert-file", "cluster-signing-key-file",
		"cluster-signing-kube*", "cluster-signing-legacy*",
	}, "is set by Coracle, which makes the cluster's keys and certificates"},
	{[]string{Kubelet}, []string{"tls-cert-file", "tls-private-key-file", "client-ca-file", "cert-dir", "rotate-certificates", "rotate-server-certificates"}, "is set by Coracle, which makes the cluster's keys and certificates"},
	{[]string{APIServer}, []string{"anonymous-auth", "authentication-config", "oidc-*", "enable-bootstrap-token-auth"}, "is set by Coracle in an authentication configuration, which takes the place of the single flags"},
	{[]string{APIServer}, []string{"authorization-mode", "authorization-config", "authorization-policy-file", "allow-privileged"}, "is set by Coracle: Node and RBAC decide"},
	{[]string{Kubelet}, []string{"anonymous-auth", "authentication-token-webhook", "authorization-mode"}, "is set by Coracle: the kubelet asks the Kubernetes API who may ask it"},
	{[]string{APIServer}, []string{"admission-control"}, "is gone: use enable-admission-plugins and disable-admission-plugins, whose plugins are added to Coracle's"},

	// How the machine is built.
	{[]string{APIServer}, []string{"endpoint-reconciler-type", "apiserver-count"}, "is set by Coracle, which knows the cluster's servers"},
	{[]string{Kubelet}, []string{"node-labels", "register-with-taints", "register-node"}, "is set by Coracle: see machine.labels and machine.taints"},
	{[]string{Kubelet}, []string{"container-runtime-endpoint", "image-service-endpoint", "runtime-cgroups", "kubelet-cgroups", "cgroup-driver", "cgroup-root", "cgroups-per-qos"}, "is set by Coracle, which runs containerd and makes the cgroups"},
	{[]string{Kubelet}, []string{
		"root-dir", "volume-plugin-dir", "resolv-conf", "fail-swap-on", "fail-cgroupv1", "make-iptables-util-chains", "hairpin-mode", "experimental-mounter-path", "lock-file",
		"exit-on-lock-contention", "runonce",
	}, "is set by Coracle, which knows the machine"},
	{[]string{ControllerManager}, []string{"flex-volume-plugin-dir"}, "is set by Coracle, which knows the machine"},
	{[]string{KubeProxy}, []string{"proxy-mode", "cleanup", "init-only", "iptables-masquerade-bit", "iptables-localhost-nodeports", "ipvs-*"}, "is set by Coracle: the mode is nftables"},
}

// added are flags whose values in the config are added to Coracle's; those of all others take their place.
var added = []string{"enable-admission-plugins", "disable-admission-plugins", "controllers", "feature-gates"}

package control

// ClusterConfigMap is the ConfigMap in kube-system in which a server tells agents of their cluster; ClusterKey its key, with a
// [Cluster] in JSON.
const (
	ClusterConfigMap = "coracle-cluster"
	ClusterKey       = "cluster.json"
)

// JoinGroup is the group of callers with a join token. Bootstrap tokens that somebody makes for another purpose are not in it.
const JoinGroup = "system:bootstrappers:coracle:agents"

// JoinBinding is the ClusterRoleBinding that lets the group ask for certificates. It is of the add-on for agents.
const JoinBinding = "coracle:agents:join"

// LabelControlPlane is the label of servers, from which kubectl shows a node's role and by which charts place their pods
// (kubernetes.io/docs/reference/labels-annotations-taints). Its value is empty.
const LabelControlPlane = "node-role.kubernetes.io/control-plane"

// Cluster is what all nodes of a cluster have to know of it, and what the config of a server decides. It is read by agents of other
// versions: fields are added, and none changes its meaning.
type Cluster struct {
	PodCIDR        string  `json:"podCIDR"`
	ServiceCIDR    string  `json:"serviceCIDR"`
	ClusterDNS     string  `json:"clusterDNS"`
	ClusterDomain  string  `json:"clusterDomain"`
	FlannelBackend string  `json:"flannelBackend"`
	Devices        Devices `json:"devices"`
	FeatureGates   string  `json:"featureGates,omitempty"` // of all components: A=true,B=false
}

// Cluster is what the settings of a server say of the cluster.
func (s Settings) Cluster() Cluster {
	return Cluster{
		PodCIDR: s.PodCIDR, ServiceCIDR: s.ServiceCIDR, ClusterDNS: s.ClusterDNS, ClusterDomain: s.ClusterDomain,
		FlannelBackend: s.Flannel.Backend, Devices: s.Devices, FeatureGates: s.ExtraArgs["kube-apiserver"]["feature-gates"],
	}
}

// In is the settings of an agent as a part of a cluster.
func (s Settings) In(c Cluster) Settings {
	s.PodCIDR, s.ServiceCIDR, s.ClusterDNS, s.ClusterDomain = c.PodCIDR, c.ServiceCIDR, c.ClusterDNS, c.ClusterDomain
	s.Flannel.Backend, s.Devices = c.FlannelBackend, c.Devices
	return s
}

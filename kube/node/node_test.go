package node

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/kubernetes/cmd/kubelet/app/options"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/pki"
)

func testConfig(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	p, err := pki.Open(pki.Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"), NodeName: "edge-1",
		NodeIPs: []net.IP{net.IPv4(192, 0, 2, 7)}, ServiceIP: net.IPv4(10, 43, 0, 1), ClusterDomain: "cluster.local", APIPort: 6443, Fresh: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Settings: control.Settings{
			NodeName: "edge-1", NodeIPs: []string{"192.0.2.7"}, ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local",
			PodCIDR: "10.42.0.0/16", NodeTaints: []string{"edge=true:NoSchedule"},
		},
		Credentials: Credentials{
			Kubelet: p.Kubeconfig(pki.Kubelet), Proxy: p.Kubeconfig(pki.Proxy), ClientCA: p.ClusterCA(),
			ServingCert: p.Cert(pki.KubeletServing), ServingKey: p.Key(pki.KubeletServing), Dir: filepath.Join(dir, "certificates"),
		},
		KubeletDir: filepath.Join(dir, "kubelet"), ContainerdSocket: "/run/containerd/containerd.sock", Gate: NewGate(),
	}
}

// The kubelet validates its configuration only after it has started; a mistake is found here instead.
func TestKubeletConfigurationIsValid(t *testing.T) {
	server, err := testConfig(t).kubeletServer()
	if err != nil {
		t.Fatal(err)
	}
	server.FailCgroupV1 = false // the host that runs this test may have cgroup v1
	if err := options.ValidateKubeletServer(server); err != nil {
		t.Error(err)
	}
	if server.Authentication.Anonymous.Enabled || server.Authorization.Mode != "Webhook" || server.ReadOnlyPort != 0 {
		t.Error("the kubelet answers without authentication")
	}
	if server.RotateCertificates || server.ServerTLSBootstrap {
		t.Error("the kubelet of a server asks for certificates, which it has")
	}
	if len(server.RegisterWithTaints) != 1 || server.RegisterWithTaints[0].Key != "edge" {
		t.Errorf("taints %v", server.RegisterWithTaints)
	}
}

// The kubelet of an agent asks for its certificates, and for new ones before they end.
func TestKubeletThatAsks(t *testing.T) {
	c := testConfig(t)
	c.Credentials.ServingCert, c.Credentials.ServingKey = "", ""
	server, err := c.kubeletServer()
	if err != nil {
		t.Fatal(err)
	}
	server.FailCgroupV1 = false
	if err := options.ValidateKubeletServer(server); err != nil {
		t.Error(err)
	}
	if !server.RotateCertificates || !server.ServerTLSBootstrap || server.CertDirectory != c.Credentials.Dir {
		t.Errorf("rotation %v, serving %v, in %s", server.RotateCertificates, server.ServerTLSBootstrap, server.CertDirectory)
	}
}

func TestProxyOptionsAreValid(t *testing.T) {
	if _, err := testConfig(t).proxyOptions(); err != nil {
		t.Error(err)
	}
}

func TestGate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	gate := NewGate()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := gate.Dial(short, "tcp", listener.Addr().String()); err == nil {
		t.Error("connected through a closed gate")
	}
	gate.Open()
	gate.Open()
	connection, err := gate.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}

func TestPlan(t *testing.T) {
	sandbox := func(id, uid string) *cri.PodSandbox {
		return &cri.PodSandbox{Id: id, Metadata: &cri.PodSandboxMetadata{Uid: uid}}
	}
	pods := map[string]Pod{
		"web": {Priority: 0, Grace: 5 * time.Second},
		"db":  {Priority: 1000, Grace: time.Hour},
		"dns": {Priority: systemCritical, Grace: 30 * time.Second},
	}
	got := plan(
		[]*cri.PodSandbox{sandbox("s1", "dns"), sandbox("s2", "web"), sandbox("s3", "db"), sandbox("s4", "gone")},
		[]*cri.Container{{Id: "c1", PodSandboxId: "s2"}, {Id: "c2", PodSandboxId: "s2"}, {Id: "c3", PodSandboxId: "s1"}},
		pods, 60*time.Second)
	want := []phase{
		{"ordinary", 40 * time.Second, []stop{{"s2", []string{"c1", "c2"}, 5 * time.Second}, {"s3", nil, 40 * time.Second}, {"s4", nil, 30 * time.Second}}},
		{"system-critical", 20 * time.Second, []stop{{"s1", []string{"c3"}, 20 * time.Second}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestHasAddresses(t *testing.T) {
	node := &corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "edge-1"},
		{Type: corev1.NodeInternalIP, Address: "192.0.2.7"},
	}}}
	for name, tc := range map[string]struct {
		want []string
		ok   bool
	}{
		"same":        {[]string{"192.0.2.7"}, true},
		"old address": {[]string{"192.0.2.8"}, false},
		"one more":    {[]string{"192.0.2.7", "2001:db8::7"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if hasAddresses(node, tc.want) != tc.ok {
				t.Errorf("got %t", !tc.ok)
			}
		})
	}
}

func TestDropCheckpoints(t *testing.T) {
	dir := t.TempDir()
	torn, good := filepath.Join(dir, "cpu_manager_state"), filepath.Join(dir, "memory_manager_state")
	if err := os.WriteFile(torn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(good, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dropCheckpoints(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(torn); err == nil {
		t.Error("a torn state file was kept")
	}
	if _, err := os.Stat(good); err != nil {
		t.Error("a good state file was removed")
	}
}

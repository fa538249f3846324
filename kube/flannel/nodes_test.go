package flannel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

const backendData = `{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}`

func node(name, cidr, publicIP string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1"}}
	if cidr != "" {
		n.Spec.PodCIDRs = []string{cidr}
	}
	if publicIP != "" {
		n.Annotations = map[string]string{
			annotationManaged: "true", annotationType: VXLAN, annotationIP: publicIP, annotationData: backendData,
		}
	}
	return n
}

func TestLeaseEvents(t *testing.T) {
	conf, err := Config{Backend: VXLAN, PodCIDR: "10.42.0.0/16"}.network()
	if err != nil {
		t.Fatal(err)
	}
	a := node("a", "10.42.1.0/24", "192.0.2.1")
	heartbeat := a.DeepCopy()
	heartbeat.ResourceVersion = "2"
	for _, tc := range []struct {
		name     string
		old, new *corev1.Node
		want     string
	}{
		{"came", nil, a, "+10.42.1.0/24@192.0.2.1"},
		{"went", a, nil, "-10.42.1.0/24@192.0.2.1"},
		{"heartbeat", a, heartbeat, ""},
		{"new address", a, node("a", "10.42.1.0/24", "192.0.2.9"), "-10.42.1.0/24@192.0.2.1 +10.42.1.0/24@192.0.2.9"},
		{"flannel starts on it", node("a", "10.42.1.0/24", ""), a, "+10.42.1.0/24@192.0.2.1"},
		{"no pod CIDR yet", nil, node("a", "", "192.0.2.1"), ""},
		{"foreign pod CIDR", nil, node("a", "10.99.1.0/24", "192.0.2.1"), ""},
		{"broken address", nil, node("a", "10.42.1.0/24", "nonsense"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, e := range leaseEvents(tc.old, tc.new, conf) {
				sign := map[lease.EventType]string{lease.EventAdded: "+", lease.EventRemoved: "-"}[e.Type]
				got = append(got, sign+e.Lease.Subnet.String()+"@"+e.Lease.Attrs.PublicIP.String())
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %q, want %q", s, tc.want)
			}
		})
	}
}

// TestLeaseOfBothFamilies: a node that has no IPv6 address is reached over IPv4.
func TestLeaseOfBothFamilies(t *testing.T) {
	conf, err := Config{Backend: VXLAN, PodCIDR: "10.42.0.0/16,fd42::/56"}.network()
	if err != nil {
		t.Fatal(err)
	}
	n := node("a", "10.42.1.0/24", "192.0.2.1")
	n.Spec.PodCIDRs = append(n.Spec.PodCIDRs, "fd42:0:0:1::/64")
	l, err := leaseOf(n, conf)
	if err != nil || !l.EnableIPv4 || l.EnableIPv6 || l.Subnet.String() != "10.42.1.0/24" {
		t.Errorf("without an IPv6 address: %+v, %v", l, err)
	}
	n.Annotations[annotationIPv6], n.Annotations[annotationV6Data] = "2001:db8::1", backendData
	l, err = leaseOf(n, conf)
	if err != nil || !l.EnableIPv4 || !l.EnableIPv6 || l.IPv6Subnet.String() != "fd42:0:0:1::/64" || l.Attrs.PublicIPv6.String() != "2001:db8::1" {
		t.Errorf("with one: %+v, %v", l, err)
	}
	n.Annotations[annotationIPv6] = "nonsense"
	if l, err = leaseOf(n, conf); err == nil {
		t.Errorf("with a broken one: %+v", l)
	}
}

func TestAnnotationPatch(t *testing.T) {
	v4 := map[string]string{annotationIP: "192.0.2.1", annotationData: backendData}
	both := map[string]string{annotationIP: "192.0.2.1", annotationData: backendData, annotationIPv6: "2001:db8::1", annotationV6Data: backendData}
	for _, tc := range []struct {
		name      string
		now, want map[string]string
		patch     string
	}{
		{"as it is", both, both, ""},
		{"another address", map[string]string{annotationIP: "192.0.2.9", annotationData: backendData, "other": "x"}, v4,
			`{"metadata":{"annotations":{"flannel.alpha.coreos.com/public-ip":"192.0.2.1"}}}`},
		{"no IPv6 any more", both, v4,
			`{"metadata":{"annotations":{"flannel.alpha.coreos.com/backend-v6-data":null,"flannel.alpha.coreos.com/public-ipv6":null}}}`},
	} {
		if got, err := annotationPatch(tc.now, tc.want); err != nil || string(got) != tc.patch {
			t.Errorf("%s: %s, %v; want %s", tc.name, got, err, tc.patch)
		}
	}
}

func TestLeanKeepsWhatIsRead(t *testing.T) {
	full := node("a", "10.42.1.0/24", "192.0.2.1")
	full.Annotations["volumes.kubernetes.io/controller-managed-attach-detach"] = "true"
	full.Status.Images = []corev1.ContainerImage{{Names: []string{"big"}}}
	got := lean(full)
	if len(got.Annotations) != 4 || got.Spec.PodCIDRs[0] != "10.42.1.0/24" || got.Name != "a" || got.ResourceVersion != "1" {
		t.Errorf("lost something: %+v", got)
	}
	if got.Status.Images != nil {
		t.Error("kept the images")
	}
	if v4, v6 := macs(got); v4 != "12:c6:65:89:b4:e3" || v6 != "" {
		t.Errorf("MAC addresses %q, %q", v4, v6)
	}
}

// api serves one node, which gets its pod CIDR later, and records patches.
type api struct {
	events  chan string
	patches chan string
}

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPatch:
		body, _ := io.ReadAll(r.Body)
		a.patches <- r.URL.Path + " " + string(body)
		json.NewEncoder(w).Encode(node("self", "10.42.0.0/24", ""))
	case r.URL.Query().Get("watch") != "":
		if r.URL.Query().Get("sendInitialEvents") != "" {
			http.Error(w, `{"kind":"Status","apiVersion":"v1","code":422,"reason":"Invalid","status":"Failure"}`, http.StatusUnprocessableEntity)
			return
		}
		w.(http.Flusher).Flush()
		for {
			select {
			case e := <-a.events:
				fmt.Fprintln(w, e)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	default:
		fmt.Fprint(w, `{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"self"}}]}`)
	}
}

func TestAcquireLeaseWaitsForPodCIDRAndAnnotates(t *testing.T) {
	a := api{make(chan string), make(chan string, 4)}
	server := httptest.NewServer(a)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer server.Close()
	defer cancel()
	conf, err := Config{Backend: VXLAN, PodCIDR: "10.42.0.0/16"}.network()
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNodes(&rest.Config{Host: server.URL}, "self", conf, conf)
	if err != nil {
		t.Fatal(err)
	}
	go n.watch.RunWithContext(ctx)
	event := func(kind string, node *corev1.Node) {
		t.Helper()
		node.Kind, node.APIVersion = "Node", "v1"
		b, err := json.Marshal(map[string]any{"type": kind, "object": node})
		if err != nil {
			t.Error(err)
		}
		select {
		case a.events <- string(b):
		case <-ctx.Done():
			t.Error("nobody watches")
		}
	}
	go event("MODIFIED", node("self", "10.42.0.0/24", ""))
	l, err := n.AcquireLease(ctx, &lease.LeaseAttrs{
		BackendType: VXLAN, PublicIP: ip.MustParseIP4("192.0.2.1"), BackendData: json.RawMessage(backendData),
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Subnet.String() != "10.42.0.0/24" {
		t.Errorf("subnet %s", l.Subnet)
	}
	patch := <-a.patches
	for _, want := range []string{"/api/v1/nodes/self/status ", `"flannel.alpha.coreos.com/public-ip":"192.0.2.1"`, `VtepMAC`} {
		if !strings.Contains(patch, want) {
			t.Errorf("patch %s has no %s", patch, want)
		}
	}

	// Annotated as it is now, a restart writes nothing.
	event("MODIFIED", node("self", "10.42.0.0/24", "192.0.2.1"))
	other := node("other", "10.42.1.0/24", "192.0.2.2")
	event("ADDED", other)
	results := make(chan []lease.LeaseWatchResult)
	go n.WatchLeases(ctx, results)
	if r := <-results; r[0].Events[0].Lease.Subnet.String() != "10.42.1.0/24" { // and so the event before it was seen
		t.Errorf("got %+v", r)
	}
	attrs := &lease.LeaseAttrs{BackendType: VXLAN, PublicIP: ip.MustParseIP4("192.0.2.1"), BackendData: json.RawMessage(backendData)}
	if _, err := n.AcquireLease(ctx, attrs); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-a.patches:
		t.Errorf("needless patch %s", p)
	default:
	}
}

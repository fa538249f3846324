package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/fleet"
	"github.com/coracle-os/coracle/kube/fleet/fleettest"
)

// TestFleet: a control plane upgrades machines; its key stays when that is turned off.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	dir := t.TempDir()
	settings := writeSettings(t, dir)
	settings.Manifests, settings.CoreDNS, settings.Fleet = nil, control.CoreDNS{}, control.Fleet{Enabled: true}
	saveSettings(t, dir, settings)
	p := startPlane(t, dir)
	ctx := t.Context()
	upgrades := upgradesOf(t, p)

	shown, err := p.client.CoreV1().ConfigMaps("kube-system").Get(ctx, "coracle-fleet", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	machines := map[string]*fleettest.Machine{}
	for _, name := range []string{"edge-1", "edge-2"} {
		machines[name] = fleettest.Start(t, "0.1.0")
		machines[name].Set(func(m *fleettest.Machine) { m.Next = "0.2.0" })
		addMachine(ctx, t, p, name, machines[name])
	}

	for spec, want := range map[string]string{
		"artifact=/tmp/a version=0.2.0":                               "spec.artifact",
		"artifact=https://a.example/b version=0.2.0 timeout=1m":       "is not between 5m and 24h",
		"artifact=https://a.example/b version=latest":                 "spec.version",
		"artifact=https://a.example/b version=0.2.0 concurrency=many": "spec.concurrency",
	} {
		if _, err := upgrades.Create(ctx, upgradeOf("wrong", spec), metav1.CreateOptions{}); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if _, err := upgrades.Create(ctx, upgradeOf("plant", "artifact=https://a.example/b version=0.2.0"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("the Upgrade to be complete", 90*time.Second, func() error {
		u, err := upgrades.Get(ctx, "plant", metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		for _, c := range conditions {
			if c := c.(map[string]any); c["type"] == "Complete" && c["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("status %v", u.Object["status"])
	})
	for name, m := range machines {
		clients, pulled, reboots := m.Seen()
		if len(pulled) != 1 || pulled[0] != "https://a.example/b" || reboots != 1 || clients[0] != shown.Data["key"] {
			t.Errorf("%s was called by %v, pulled %v, was restarted %d times", name, clients[:1], pulled, reboots)
		}
	}
	p.eventually("events", 10*time.Second, func() error {
		list, err := p.client.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Upgrade,reason=Upgraded"})
		if err == nil && len(list.Items) < 2 {
			err = fmt.Errorf("there are %d", len(list.Items))
		}
		return err
	})
	p.stop()

	settings.Fleet.Enabled = false
	saveSettings(t, dir, settings)
	p = startPlane(t, dir)
	defer p.stop()
	if _, err := p.client.CoreV1().Secrets("kube-system").Get(ctx, "coracle-fleet-key", metav1.GetOptions{}); err != nil {
		t.Errorf("its key was to stay: %v", err)
	}
}

func upgradesOf(t *testing.T, p *plane) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(p.config)
	if err != nil {
		t.Fatal(err)
	}
	upgrades := client.Resource(fleet.Resource)
	p.eventually("the API of Upgrades", 20*time.Second, func() error {
		_, err := upgrades.List(t.Context(), metav1.ListOptions{})
		return err
	})
	return upgrades
}

// upgradeOf makes an Upgrade of "field=value field=value".
func upgradeOf(name, fields string) *unstructured.Unstructured {
	spec := map[string]any{}
	for _, f := range strings.Fields(fields) {
		key, value, _ := strings.Cut(f, "=")
		spec[key] = value
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": fleet.Resource.GroupVersion().String(), "kind": "Upgrade", "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

// addMachine makes a node Ready whose machine API is that of m.
func addMachine(ctx context.Context, t *testing.T, p *plane, name string, m *fleettest.Machine) {
	t.Helper()
	host, port, err := net.SplitHostPort(m.Address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{
		control.AnnotationAPIPort: port, control.AnnotationFingerprint: m.Fingerprint,
	}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.eventually("a node", 10*time.Second, func() error {
		n, err = p.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		n.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		}}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
		if _, err := p.client.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{}); err != nil {
			return errors.Join(errors.New("set its status"), err)
		}
		return nil
	})
	// As its kube would, at each start.
	go uncordon(ctx, p, name)
}

// uncordon takes back cordons of drains until ctx ends.
func uncordon(ctx context.Context, p *plane, name string) {
	for ctx.Err() == nil {
		n, err := p.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err == nil && n.Annotations[control.AnnotationCordoned] != "" {
			delete(n.Annotations, control.AnnotationCordoned)
			n.Spec.Unschedulable = false
			_, _ = p.client.CoreV1().Nodes().Update(ctx, n, metav1.UpdateOptions{}) // or the next time
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	_ "modernc.org/sqlite"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/exit"
	"github.com/coracle-os/coracle/kube/node"
)

func TestControlPlane(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	dir := t.TempDir()
	settings := writeSettings(t, dir)
	p := startPlane(t, dir)
	ctx := t.Context()

	t.Run("anonymous", func(t *testing.T) { testAnonymous(t, settings) })
	t.Run("objects", func(t *testing.T) {
		create(ctx, t, p)
		testEndpoint(ctx, t, p, settings)
	})
	t.Run("policy", func(t *testing.T) { testPolicyStatus(ctx, t, p) })
	t.Run("openapi", func(t *testing.T) { testOpenAPI(ctx, t, p) })
	t.Run("manifests", func(t *testing.T) { testManifests(ctx, t, p, true) })
	t.Run("labels", func(t *testing.T) { testLabels(ctx, t, p) })
	ca, err := os.ReadFile(filepath.Join(testPaths(dir).pkiState(), "cluster-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("datastore", func(t *testing.T) { testRows(t, testPaths(dir).database()) })

	settings.Manifests[0].Content = strings.Join(strings.Split(boats, "---")[1:3], "---") // the ConfigMap is not wanted any more
	saveSettings(t, dir, settings)
	p.kill() // the first restart is after a crash, the second after a proper stop
	for range 2 {
		p = startPlane(t, dir)
		secret, err := p.client.CoreV1().Secrets("integration").Get(ctx, "password", metav1.GetOptions{})
		if err != nil || string(secret.Data["value"]) != secretValue {
			t.Fatalf("secret after a restart: %v, %v", secret, err)
		}
		testSeed(ctx, t, p)
		testManifests(ctx, t, p, false)
		if now, err := os.ReadFile(filepath.Join(testPaths(dir).pkiState(), "cluster-ca.crt")); err != nil || !bytes.Equal(now, ca) {
			t.Errorf("another CA after a restart (%v)", err)
		}
		p.stop()
	}
}

const secretValue = "correct horse battery staple"

func create(ctx context.Context, t *testing.T, p *plane) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "integration"}}
	if _, err := p.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}, StringData: map[string]string{"value": secretValue}}
	if _, err := p.client.CoreV1().Secrets("integration").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The controller-manager works: it makes the service account and publishes the CA, with credentials of its own.
	p.eventually("the default service account", 20*time.Second, func() error {
		_, err := p.client.CoreV1().ServiceAccounts("integration").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	p.eventually("the CA bundle of pods", 20*time.Second, func() error {
		_, err := p.client.CoreV1().ConfigMaps("integration").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		return err
	})
	// So does the scheduler: it says that there is no node.
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "waits"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "coracle.local/pause:1"}}},
	}
	if _, err := p.client.CoreV1().Pods("integration").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("the scheduler to look at the pod", 20*time.Second, func() error {
		pod, err := p.client.CoreV1().Pods("integration").Get(ctx, "waits", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Reason == corev1.PodReasonUnschedulable {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", pod.Status.Conditions)
	})
	// PodSecurity is on.
	labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	strict := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strict", Labels: labels}}
	if _, err := p.client.CoreV1().Namespaces().Create(ctx, strict, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("a pod to be refused", 20*time.Second, func() error {
		_, err := p.client.CoreV1().Pods("strict").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "PodSecurity") {
			return nil
		}
		return fmt.Errorf("got %v", err)
	})
}

// seeded are resources of which a new cluster has these many objects that the datastore was seeded with.
var seeded = map[schema.GroupVersionResource]int{
	{Version: "v1", Resource: "namespaces"}:                                                         4,
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}:                   60,
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}:            40,
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "flowschemas"}:                 11,
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "prioritylevelconfigurations"}: 8,
	{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}:                       20,
	{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"}:                        2,
	{Group: "networking.k8s.io", Version: "v1", Resource: "servicecidrs"}:                           1,
}

// testSeed looks whether the apiserver and controller-manager find what the datastore was seeded with as they would have made it:
// what goes through the API is managed by somebody.
func testSeed(ctx context.Context, t *testing.T, p *plane) {
	t.Helper()
	client, err := metadata.NewForConfig(p.config)
	if err != nil {
		t.Fatal(err)
	}
	for resource, least := range seeded {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) < least {
			t.Errorf("only %d %s", len(list.Items), resource.Resource)
		}
		for _, object := range list.Items {
			if len(object.ManagedFields) > 0 && !slices.Contains([]string{"integration", "strict", "v1.sea.example", "harbour", "v1.harbour.example"}, object.Name) {
				t.Errorf("%s %s was made or changed by %s", resource.Resource, object.Name, object.ManagedFields[0].Manager)
			}
		}
	}
	ca, err := p.client.CoreV1().ConfigMaps("default").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	if err != nil || len(ca.ManagedFields) > 0 {
		t.Errorf("the CA of pods in the namespace default: %v, %v", ca, err)
	}
	if _, err := p.client.RbacV1().ClusterRoleBindings().Get(ctx, control.JoinBinding, metav1.GetOptions{}); err != nil {
		t.Errorf("agents cannot join: %v", err)
	}
}

// testEndpoint: the Service "kubernetes" leads to this server, though the lease behind that is in memory.
func testEndpoint(ctx context.Context, t *testing.T, p *plane, settings control.Settings) {
	t.Helper()
	p.eventually("the endpoint of the Service kubernetes", 20*time.Second, func() error {
		slice, err := p.client.DiscoveryV1().EndpointSlices("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(slice.Endpoints) != 1 || slice.Endpoints[0].Addresses[0] != settings.NodeIPs[0] || int(*slice.Ports[0].Port) != settings.APIPort {
			return fmt.Errorf("endpoints %v, ports %v", slice.Endpoints, slice.Ports)
		}
		return nil
	})
}

func testAnonymous(t *testing.T, settings control.Settings) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for path, want := range map[string]int{
		"/readyz":                                http.StatusOK,
		"/livez":                                 http.StatusOK,
		"/version":                               http.StatusUnauthorized,
		"/api":                                   http.StatusUnauthorized,
		"/api/v1/namespaces/kube-system/secrets": http.StatusUnauthorized,
	} {
		response, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d%s", settings.APIPort, path))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, response.Status, want)
		}
	}
}

// testPolicyStatus: a mistake in a policy's expression is found, though controller-manager does not look for it.
func testPolicyStatus(ctx context.Context, t *testing.T, p *plane) {
	t.Helper()
	policies := p.client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "replicas"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "object.spec.replicaz < 5"}},
		},
	}
	if _, err := policies.Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("a warning about the expression", 30*time.Second, func() error {
		policy, err := policies.Get(ctx, "replicas", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if check := policy.Status.TypeChecking; check != nil && len(check.ExpressionWarnings) == 1 &&
			strings.Contains(check.ExpressionWarnings[0].Warning, "replicaz") {
			return nil
		}
		return fmt.Errorf("status %+v", policy.Status)
	})
}

// testOpenAPI: the documents, built when they are asked for, pass the aggregator, and custom resources are in them too.
func testOpenAPI(ctx context.Context, t *testing.T, p *plane) {
	t.Helper()
	get := func(path, accept string) ([]byte, error) {
		return p.client.Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(ctx)
	}
	const protobuf = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
	for path, accept := range map[string]string{"/openapi/v3/apis/apps/v1": "application/json", "/openapi/v3/api/v1": protobuf, "/openapi/v2": "application/json"} {
		document, err := get(path, accept)
		if err != nil || !bytes.Contains(document, []byte("io.k8s.api.core.v1.PodSpec")) {
			t.Errorf("%s has %d bytes without PodSpec (%v)", path, len(document), err)
		}
	}
	definition := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"boats.sea.example"},"spec":{
		"group":"sea.example","scope":"Namespaced","names":{"plural":"boats","singular":"boat","kind":"Boat"},"versions":[{"name":"v1",
		"served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"oars":{"type":"integer"}}}}}]}}`
	crds := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	if err := p.client.Discovery().RESTClient().Post().AbsPath(crds).Body([]byte(definition)).Do(ctx).Error(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/openapi/v3/apis/sea.example/v1", "/openapi/v2"} {
		p.eventually("the custom resource in "+path, 30*time.Second, func() error {
			document, err := get(path, "application/json")
			if err == nil && !bytes.Contains(document, []byte("oars")) {
				err = errors.New("it is not there yet")
			}
			return err
		})
	}
}

// testLabels: labels and taints of a node that is there already follow the config.
func testLabels(ctx context.Context, t *testing.T, p *plane) {
	t.Helper()
	nodes := p.client.CoreV1().Nodes()
	_, err := nodes.Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "shore", Labels: map[string]string{"theirs": "1"}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "theirs", Effect: corev1.TaintEffectNoSchedule}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	noWait := func(context.Context, func(*corev1.Node) bool) error { return nil }
	for _, step := range []struct {
		labels map[string]string
		taints []string
		want   string
	}{
		{map[string]string{"site": "a"}, []string{"edge=x:NoSchedule"}, "labels site=a theirs=1, taints edge=x theirs="},
		{map[string]string{"site": "b"}, []string{"edge=y:NoSchedule"}, "labels site=b theirs=1, taints edge=y theirs="},
		{nil, nil, "labels theirs=1, taints theirs="},
	} {
		c := node.Config{Settings: control.Settings{NodeName: "shore", NodeLabels: step.labels, NodeTaints: step.taints}}
		for range 2 { // the second time there is nothing to do
			if err := c.LabelNode(ctx, p.config, noWait); err != nil {
				t.Fatal(err)
			}
		}
		found, err := nodes.Get(ctx, "shore", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, role := found.Labels["node-role.kubernetes.io/control-plane"]; !role {
			t.Errorf("no role in %v", found.Labels)
		}
		got := "labels"
		for _, key := range []string{"site", "theirs"} {
			if value, ok := found.Labels[key]; ok {
				got += " " + key + "=" + value
			}
		}
		got += ", taints"
		slices.SortFunc(found.Spec.Taints, func(a, b corev1.Taint) int { return strings.Compare(a.Key, b.Key) })
		for _, taint := range found.Spec.Taints {
			if !strings.HasPrefix(taint.Key, "node.kubernetes.io/") { // the controllers' own
				got += " " + taint.Key + "=" + taint.Value
			}
		}
		if got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
	if err := nodes.Delete(ctx, "shore", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestDualStack: a new cluster of both families has both networks, and gives Services addresses of both.
func TestDualStack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	dir := t.TempDir()
	settings := writeSettings(t, dir)
	settings.PodCIDR, settings.ServiceCIDR = "10.42.0.0/16,fd42::/56", "10.43.0.0/16,fd43::/112"
	settings.Manifests = nil
	saveSettings(t, dir, settings)
	p := startPlane(t, dir)
	ctx := t.Context()
	testSeed(ctx, t, p)
	service, err := p.client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "both"},
		Spec: corev1.ServiceSpec{
			Ports:          []corev1.ServicePort{{Port: 80}},
			IPFamilyPolicy: new(corev1.IPFamilyPolicyRequireDualStack),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ips := service.Spec.ClusterIPs; len(ips) != 2 || !strings.HasPrefix(ips[0], "10.43.") || !strings.HasPrefix(ips[1], "fd43::") {
		t.Errorf("addresses %v", ips)
	}
	p.stop()
}

// testManifests: the objects of the config are there, or are so no longer.
func testManifests(ctx context.Context, t *testing.T, p *plane, wanted bool) {
	t.Helper()
	crew, err := p.client.CoreV1().ConfigMaps("default").Get(ctx, "crew", metav1.GetOptions{})
	boat := p.client.Discovery().RESTClient().Get().AbsPath("/apis/harbour.example/v1/namespaces/harbour/boats/currach").Do(ctx).Error()
	if !wanted {
		if !apierrors.IsNotFound(err) || !apierrors.IsNotFound(boat) {
			t.Errorf("objects that the config has no longer: %v, %v", err, boat)
		}
		if _, err := p.client.CoreV1().Namespaces().Get(ctx, "harbour", metav1.GetOptions{}); err != nil {
			t.Errorf("one that it still has: %v", err)
		}
		return
	}
	if err != nil || crew.Data["captain"] != "ahab" || crew.Labels["coracle.dev/manifest"] != "boats" {
		t.Errorf("config map %v, %v", crew, err)
	}
	if boat != nil {
		t.Errorf("custom resource: %v", boat)
	}
}

// testRows looks at what is on disk: Secrets encrypted, no lease and no event.
func testRows(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var value []byte
	if err := db.QueryRow(`SELECT value FROM kine WHERE name = '/registry/secrets/integration/password' AND deleted = 0`).Scan(&value); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(value, []byte("k8s:enc:secretbox:v1:machine:")) || bytes.Contains(value, []byte(secretValue)) {
		t.Errorf("the secret is not encrypted: %q", value[:min(len(value), 60)])
	}
	for _, prefix := range []string{"/registry/leases/", "/registry/events/", "/registry/masterleases/", "/registry/peerserverleases/"} {
		var count int
		if err := db.QueryRow(`SELECT COUNT(*) FROM kine WHERE name LIKE ?`, prefix+"%").Scan(&count); err != nil {
			t.Fatal(err)
		}
		if count != 0 {
			t.Errorf("%d rows of %s are on disk", count, prefix)
		}
	}
}

// A taken port is a failed component: exit code 1, and the last line says which and why.
func TestFailureKeepsItsReason(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	dir := t.TempDir()
	settings := writeSettings(t, dir)
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", settings.APIPort))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+dir)
	output, err := command.CombinedOutput()
	if command.ProcessState.ExitCode() != exit.Failed {
		t.Errorf("%v, want exit code %d", err, exit.Failed)
	}
	if last := tail(strings.TrimSpace(string(output)), 1); !strings.HasPrefix(last, "kube: kube-apiserver: the API port is taken") {
		t.Errorf("last line %q", last)
	}
}

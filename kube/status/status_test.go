package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/coracle-os/coracle/kube/control"
)

// start serves on a socket of a temporary folder and returns a function that gets a path.
func start(t *testing.T, s *Server) func(path string) (int, string) {
	t.Helper()
	s.Socket = filepath.Join(t.TempDir(), "control.sock")
	if err := os.WriteFile(s.Socket, nil, 0o600); err != nil { // left by an earlier process
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v, %v", info, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.Socket)
	}}}
	return func(path string) (int, string) {
		t.Helper()
		response, err := client.Get("http://kube" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
}

func testCluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := NewCluster(&rest.Config{Host: "https://127.0.0.1:1"}, "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addNode(t *testing.T, c *Cluster, ready corev1.ConditionStatus, message string) {
	t.Helper()
	err := c.nodes.GetStore().Add(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "edge-1"},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: message}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAgent: what an agent says before it has joined, and when its servers are away. It has no kubeconfig to give, and no tokens.
func TestAgent(t *testing.T) {
	recorder, cluster := NewRecorder(), testCluster(t)
	server := &Server{Recorder: recorder}
	get := start(t, server)
	for _, step := range []struct {
		name string
		do   func()
		code int
		body string
	}{
		{"not joined", func() {}, http.StatusServiceUnavailable, "apiserver"},
		{"joined", func() {
			addNode(t, cluster, corev1.ConditionTrue, "")
			server.SetNode(cluster, nil)
			recorder.SetAPIReady(true)
		}, http.StatusOK, "ok"},
		{"the servers are away", func() { recorder.SetAPIReady(false) }, http.StatusServiceUnavailable, "apiserver"},
	} {
		step.do()
		if code, body := get("/healthz"); code != step.code || !strings.Contains(body, step.body) {
			t.Errorf("%s: got %d %q, want %d and %q", step.name, code, body, step.code, step.body)
		}
	}
	if s := server.Status(); s.NodeReady || !strings.Contains(s.NodeMessage, "does not answer") {
		t.Errorf("status %+v", s)
	}
	for _, path := range []string{"/kubeconfig", "/tokens"} {
		if code, body := get(path); code != http.StatusNotImplemented || !strings.Contains(body, "agent") {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
}

func TestStatusAndHealth(t *testing.T) {
	recorder, cluster := NewRecorder(), testCluster(t)
	server := &Server{Version: "v1.37.2", Recorder: recorder, Kubeconfig: "/nowhere"}
	server.SetNode(cluster, nil)
	get := start(t, server)

	recorder.Set("datastore", control.Ready, nil)
	recorder.Set("kubelet", control.Starting, nil)
	recorder.Set("datastore", control.Failed, errors.New("disk full"))
	code, body := get("/status")
	var status control.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	if len(status.Components) != 2 || status.Components[0].Name != "datastore" || status.Components[0].Error != "disk full" {
		t.Errorf("components %+v", status.Components)
	}
	if status.Version != "v1.37.2" || status.PID != os.Getpid() || status.NodeReady || status.NodeMessage == "" {
		t.Errorf("status %+v", status)
	}

	for _, step := range []struct {
		do   func()
		code int
		body string
	}{
		{func() {}, http.StatusServiceUnavailable, "apiserver"},
		{func() { recorder.SetAPIReady(true) }, http.StatusServiceUnavailable, "not registered"},
		{func() { addNode(t, cluster, corev1.ConditionFalse, "no CNI") }, http.StatusServiceUnavailable, "no CNI"},
		{func() { addNode(t, cluster, corev1.ConditionTrue, "") }, http.StatusOK, "ok"},
		{recorder.SetStopping, http.StatusServiceUnavailable, "stopping"},
	} {
		step.do()
		if code, body := get("/healthz"); code != step.code || !strings.Contains(body, step.body) {
			t.Errorf("got %d %q, want %d and %q", code, body, step.code, step.body)
		}
	}
}

func TestKubeconfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.kubeconfig")
	get := start(t, &Server{Recorder: NewRecorder(), Kubeconfig: path})
	if code, _ := get("/kubeconfig"); code != http.StatusServiceUnavailable {
		t.Errorf("got %d before there is one", code)
	}
	if err := os.WriteFile(path, []byte("apiVersion: v1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, body := get("/kubeconfig"); code != http.StatusOK || body != "apiVersion: v1\n" {
		t.Errorf("got %d %q", code, body)
	}
	if code, _ := get("/debug/pprof/goroutine?debug=1"); code != http.StatusOK {
		t.Errorf("profiles: %d", code)
	}
}

func TestPods(t *testing.T) {
	c := testCluster(t)
	for name, phase := range map[string]corev1.PodPhase{"a": corev1.PodRunning, "b": corev1.PodPending, "c": corev1.PodSucceeded} {
		full := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Annotations: map[string]string{"large": "x"}},
			Spec:       corev1.PodSpec{Priority: ptr.To[int32](7), TerminationGracePeriodSeconds: ptr.To[int64](9)},
			Status:     corev1.PodStatus{Phase: phase, Message: "long"},
		}
		trimmed, err := trimPod(full)
		if err != nil {
			t.Fatal(err)
		}
		if trimmed.(*corev1.Pod).Annotations != nil || trimmed.(*corev1.Pod).Status.Message != "" {
			t.Error("the pod was not trimmed")
		}
		if err := c.pods.GetStore().Add(trimmed); err != nil {
			t.Fatal(err)
		}
	}
	if running, total := c.podCounts(); running != 1 || total != 2 {
		t.Errorf("%d of %d pods run, want 1 of 2", running, total)
	}
	for uid, pod := range c.Pods() {
		if pod.Priority != 7 || pod.Grace.Seconds() != 9 {
			t.Errorf("%s: %+v", uid, pod)
		}
	}
}

func TestProblems(t *testing.T) {
	r := NewRecorder()
	r.SetProblems("b", []string{"3"})
	r.SetProblems("a", []string{"1", "2"})
	if got := strings.Join(r.status().Problems, " "); got != "1 2 3" {
		t.Errorf("problems %q", got)
	}
	r.SetProblems("a", nil)
	if got := strings.Join(r.status().Problems, " "); got != "3" {
		t.Errorf("problems %q after those of a were solved", got)
	}
}

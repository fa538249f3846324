package addons

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coracle-os/coracle/kube/control"
)

// apiserver keeps objects by their path. It refuses to change the cluster IP of a Service, and is not there at first.
type apiserver struct {
	mu      sync.Mutex
	objects map[string]map[string]any
	writes  []string
	absent  int // requests that still fail
}

func (s *apiserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	status := func(code int, reason string) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason})
	}
	if s.absent > 0 {
		s.absent--
		status(http.StatusServiceUnavailable, "ServiceUnavailable")
		return
	}
	switch r.Method {
	case http.MethodGet: // a list over all namespaces
		items := []any{}
		for p, o := range s.objects {
			if path.Base(path.Dir(p)) == path.Base(r.URL.Path) {
				items = append(items, map[string]any{"metadata": o["metadata"]})
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": items})
	case http.MethodPatch:
		var o map[string]any
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &o); err != nil || r.URL.Query().Get("fieldManager") != fieldManager {
			status(http.StatusBadRequest, "BadRequest")
			return
		}
		ip := func(o map[string]any) any { spec, _ := o["spec"].(map[string]any); return spec["clusterIP"] }
		if old, ok := s.objects[r.URL.Path]; ok && ip(old) != ip(o) {
			status(http.StatusUnprocessableEntity, "Invalid")
			return
		}
		s.objects[r.URL.Path] = o
		s.writes = append(s.writes, "apply "+path.Base(path.Dir(r.URL.Path)))
		json.NewEncoder(w).Encode(o)
	case http.MethodDelete:
		delete(s.objects, r.URL.Path)
		s.writes = append(s.writes, "delete "+path.Base(path.Dir(r.URL.Path)))
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	}
}

func (s *apiserver) taken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.Join(s.writes, ", ")
	s.writes = nil
	return out
}

func TestRun(t *testing.T) {
	api := &apiserver{objects: make(map[string]map[string]any), absent: 1}
	server := httptest.NewServer(api)
	defer server.Close()
	resolvConf := filepath.Join(t.TempDir(), "resolv.conf")
	setResolver := func(address string) {
		if err := os.WriteFile(resolvConf, []byte("nameserver "+address+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	setResolver("192.0.2.1")
	start := func(c Config) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c.ResolvConf, c.ClusterDomain = resolvConf, "cluster.local"
		c.Ready = cancel
		if err := Run(ctx, &rest.Config{Host: server.URL, QPS: -1}, c); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == context.DeadlineExceeded {
			t.Fatal("never applied")
		}
		return api.taken()
	}
	dns := control.CoreDNS{Enabled: true, CacheSeconds: 30}
	on := Config{CoreDNS: dns, ClusterDNS: "10.43.0.10"}
	fleet := on
	fleet.Fleet.Enabled = true
	own := on
	own.CoreDNS.Upstream = []string{"192.0.2.53"}
	all := "apply serviceaccounts, apply clusterroles, apply clusterrolebindings, apply configmaps, apply services, apply deployments"
	for _, step := range []struct {
		name   string
		before func()
		config Config
		want   string
	}{
		{"first start, the API comes late", nil, on, all},
		{"again", nil, on, ""},
		{"other name servers", func() { setResolver("192.0.2.2") }, on, "apply configmaps"},
		{"name servers of the config", nil, own, "apply configmaps"},
		{"those of the machine again", nil, on, "apply configmaps"},
		{"another service network", nil, Config{CoreDNS: dns, ClusterDNS: "10.44.0.10"}, "delete services, apply services"},
		{"turned off", nil, Config{}, "delete deployments, delete services, delete configmaps, " +
			"delete clusterrolebindings, delete clusterroles, delete serviceaccounts"},
		{"still off", nil, Config{}, ""},
		{"on again", nil, on, all},
		{"fleet", nil, fleet, "apply customresourcedefinitions"},
		{"without it", nil, on, "delete customresourcedefinitions"},
	} {
		if step.before != nil {
			step.before()
		}
		if got := start(step.config); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

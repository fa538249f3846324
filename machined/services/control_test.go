package services

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve answers on a socket as kube would, and returns a client of it.
func serve(t *testing.T, handle http.HandlerFunc) Control {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handle}
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })
	return NewControl(path)
}

func TestControlDrain(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String())
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Write([]byte(`{"cordoned":true,"evicted":["default/a"],"stayed":[{"pod":"default/b","reason":"held"}]}`)) //nolint:errcheck
	})
	d, err := c.Drain(t.Context(), 90*time.Second)
	if err != nil || !d.Cordoned || len(d.Evicted) != 1 || len(d.Stayed) != 1 || d.Stayed[0].Reason != "held" {
		t.Errorf("%+v, %v", d, err)
	}
	if err := c.Uncordon(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(asked, ", "); got != "POST /drain?deadline=1m30s, DELETE /drain" {
		t.Errorf("asked for %s", got)
	}
}

func TestControlRefuses(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is no node here", http.StatusNotImplemented)
	})
	if _, err := c.Drain(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "no node here") {
		t.Errorf("drain: %v", err)
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "ask kube for its status: 501") {
		t.Errorf("status: %v", err)
	}
}

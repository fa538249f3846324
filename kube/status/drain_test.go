package status

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// drainer is a Drainer that remembers what it was asked for.
type drainer struct {
	deadline   time.Duration
	uncordoned bool
	fails      bool
}

func (n *drainer) Drain(_ context.Context, deadline time.Duration) (control.Drained, error) {
	n.deadline = deadline
	if n.fails {
		return control.Drained{}, errors.New("the apiserver does not answer")
	}
	return control.Drained{Cordoned: true, Evicted: []string{"default/a"}, Stayed: []control.Stayed{{Pod: "default/b", Reason: "held"}}}, nil
}

func (n *drainer) Uncordon(context.Context) error {
	n.uncordoned = true
	return nil
}

func TestServeDrain(t *testing.T) {
	for name, tc := range map[string]struct {
		request  string
		drainer  *drainer
		code     int
		body     string
		deadline time.Duration
	}{
		"drain":          {"POST /drain?deadline=30s", &drainer{}, http.StatusOK, `{"cordoned":true,"evicted":["default/a"],"stayed":[{"pod":"default/b","reason":"held"}]}`, 30 * time.Second},
		"default":        {"POST /drain", &drainer{}, http.StatusOK, "default/a", 2 * time.Minute},
		"nonsense":       {"POST /drain?deadline=soon", &drainer{}, http.StatusBadRequest, "soon is not a duration", 0},
		"negative":       {"POST /drain?deadline=-1s", &drainer{}, http.StatusBadRequest, "-1s", 0},
		"too long":       {"POST /drain?deadline=2h", &drainer{}, http.StatusBadRequest, "up to 1h", 0},
		"it fails":       {"POST /drain?deadline=1m", &drainer{fails: true}, http.StatusServiceUnavailable, "apiserver", time.Minute},
		"no node":        {"POST /drain", nil, http.StatusNotImplemented, "no node", 0},
		"uncordon":       {"DELETE /drain", &drainer{}, http.StatusNoContent, "", 0},
		"only by asking": {"GET /drain", &drainer{}, http.StatusMethodNotAllowed, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{Recorder: NewRecorder()}
			if tc.drainer != nil {
				s.SetNode(nil, tc.drainer)
			}
			method, path, _ := strings.Cut(tc.request, " ")
			w := httptest.NewRecorder()
			s.handler().ServeHTTP(w, httptest.NewRequest(method, path, &bytes.Buffer{}))
			if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.body) {
				t.Errorf("%d %q, want %d and %q", w.Code, w.Body, tc.code, tc.body)
			}
			if tc.drainer != nil && (tc.drainer.deadline != tc.deadline || tc.drainer.uncordoned != (method == "DELETE")) {
				t.Errorf("it was asked for %+v", tc.drainer)
			}
		})
	}
}

package status

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// Drainer lets the pods of this node leave, and takes them in again.
type Drainer interface {
	Drain(ctx context.Context, deadline time.Duration) (control.Drained, error)
	Uncordon(ctx context.Context) error
}

// Drains last as long as the caller wishes, within reason.
const defaultDrain, longestDrain = 2 * time.Minute, time.Hour

func (s *Server) serveDrain(w http.ResponseWriter, r *http.Request) {
	deadline := defaultDrain
	if text := r.URL.Query().Get("deadline"); text != "" {
		var err error
		if deadline, err = time.ParseDuration(text); err != nil || deadline <= 0 || deadline > longestDrain {
			http.Error(w, "deadline "+text+" is not a duration such as 2m, up to "+longestDrain.String(), http.StatusBadRequest)
			return
		}
	}
	_, drainer := s.node()
	if drainer == nil {
		http.Error(w, "there is no node here", http.StatusNotImplemented)
		return
	}
	drained, err := drainer.Drain(r.Context(), deadline)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(drained)
}

func (s *Server) serveUncordon(w http.ResponseWriter, r *http.Request) {
	_, drainer := s.node()
	if drainer == nil {
		http.Error(w, "there is no node here", http.StatusNotImplemented)
		return
	}
	if err := drainer.Uncordon(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

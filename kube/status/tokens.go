package status

import (
	"context"
	"encoding/json"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/coracle-os/coracle/kube/control"
)

// Tokens are those with which agents join.
type Tokens interface {
	Create(ctx context.Context, n control.NewToken) (control.MadeToken, error)
	List(ctx context.Context) ([]control.JoinToken, error)
	Delete(ctx context.Context, id string) error
}

// maxNewToken is the largest request for a token, in bytes.
const maxNewToken = 4096

// tokens answers with what f returns. Without a control plane there are no tokens.
func (s *Server) tokens(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.Tokens == nil {
			http.Error(w, "this machine is an agent; tokens are made on a server", http.StatusNotImplemented)
			return
		}
		answer, err := f(r)
		switch {
		case apierrors.IsNotFound(err):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		}
	}
}

func (s *Server) createToken(r *http.Request) (any, error) {
	var n control.NewToken
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxNewToken)).Decode(&n); err != nil {
		return nil, err
	}
	return s.Tokens.Create(r.Context(), n)
}

func (s *Server) listTokens(r *http.Request) (any, error) { return s.Tokens.List(r.Context()) }

func (s *Server) deleteToken(r *http.Request) (any, error) {
	return nil, s.Tokens.Delete(r.Context(), r.PathValue("id"))
}

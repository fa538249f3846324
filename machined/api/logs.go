package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/api/wire"
)

// getLogs streams a log as plain text, until its end or, when it follows, until the caller goes.
func (s *Server) getLogs(w http.ResponseWriter, r *http.Request) error {
	var request wire.LogsRequest
	if err := decode(w, r, &request); err != nil {
		return err
	}
	source := s.Backend.Logs[request.Service]
	switch {
	case source == nil:
		return wire.Errorf(wire.InvalidArgument, "service %q has no log; there are %s", request.Service, strings.Join(slices.Sorted(maps.Keys(s.Backend.Logs)), ", "))
	case request.Tail < 0:
		return wire.Errorf(wire.InvalidArgument, "tail is negative")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	stream := &stream{w: w, control: http.NewResponseController(w)}
	if err := source(r.Context(), stream, request.Tail, request.Follow); err != nil && !stream.began {
		return wire.Errorf(wire.Unavailable, "%v", err)
	}
	return nil
}

// stream sends what is written at once, and gives up on a caller that takes nothing for writeTimeout.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.began = true
	s.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.control.Flush()
}

package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
)

// service has the methods of the service, each in the file of its subject.
type service struct{ *Server }

var _ machinepbconnect.MachineServiceHandler = service{}

// handler routes a request to its method.
func (s *Server) handler() http.Handler {
	options := []connect.HandlerOption{
		connect.WithRequestGate(s.gate),
		connect.WithInterceptors(calls{s}),
		connect.WithRecover(s.recovered),
		// A decompressor costs memory and time that strangers would decide on. No answer is large.
		connect.WithCompression("gzip", nil, nil),
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			return []connect.HandlerOption{connect.WithReadMaxBytes(byProcedure[spec.Procedure].largest())}
		}),
	}
	path, methods := machinepbconnect.NewMachineServiceHandler(service{s}, options...)
	methods = linesForStreams(methods)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, handle := byProcedure[r.URL.Path], methods.ServeHTTP
		switch {
		case r.URL.Path == metricsPath:
			handle = s.serveMetrics
		case m == nil:
			plainError(w, connect.CodeUnimplemented, "there is no such path; methods are called with POST "+path+"METHOD")
			return
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			plainError(w, connect.CodeUnimplemented, m.name+" is called with POST")
			return
		}
		if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" { // curl -X POST: an empty request
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		}
		ctx := context.WithValue(r.Context(), callerKey{}, s.identify(r))
		ctx = context.WithValue(ctx, controlKey{}, http.NewResponseController(w))
		r = r.WithContext(ctx)
		// Connect reads a message that is too large to its end. This cuts it off, and closes the connection.
		r.Body = http.MaxBytesReader(w, r.Body, m.body())
		handle(w, r)
	})
}

// plainError answers as Connect does, where no method is there to.
func plainError(w http.ResponseWriter, code connect.Code, message string) {
	body, err := json.Marshal(map[string]string{"code": code.String(), "message": message})
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus[code])
	w.Write(body)
}

// httpStatus are the HTTP statuses of Connect's codes (connectrpc.com/docs/protocol#error-codes). Those that are not
// here are 500.
var httpStatus = map[connect.Code]int{
	connect.CodeCanceled: 499, connect.CodeInvalidArgument: 400, connect.CodeDeadlineExceeded: 504, connect.CodeNotFound: 404,
	connect.CodeAlreadyExists: 409, connect.CodePermissionDenied: 403, connect.CodeResourceExhausted: 429,
	connect.CodeFailedPrecondition: 400, connect.CodeAborted: 409, connect.CodeOutOfRange: 400, connect.CodeUnimplemented: 501,
	connect.CodeInternal: 500, connect.CodeUnavailable: 503, connect.CodeUnauthenticated: 401, connect.CodeUnknown: 500, connect.CodeDataLoss: 500,
}

// Package wire is the machine API as it is on the wire: the unary protocol of Connect (connectrpc.com/docs/protocol)
// with JSON bodies. GetLogs alone answers with a stream, of plain text.
package wire

import (
	"fmt"
	"net/http"
)

// Service is the path before a method's name.
const Service = "/coracle.machine.v1alpha1.MachineService/"

// Empty is the request of a method without arguments, and the answer of one without a result.
type Empty struct{}

// Version answers GetVersion.
type Version struct {
	Version    string `json:"version"` // of Coracle
	Kubernetes string `json:"kubernetes"`
	Kernel     string `json:"kernel"`
	Arch       string `json:"arch"` // GOARCH
}

// Kubeconfig answers GetKubeconfig.
type Kubeconfig struct {
	Kubeconfig string `json:"kubeconfig"` // YAML
}

// Services whose log GetLogs gives.
const (
	Kube     = "kube"     // Kubernetes with containerd
	Machined = "machined" // the machine daemon and init
	Kernel   = "kernel"
)

// LogsRequest is the request of GetLogs.
type LogsRequest struct {
	Service string `json:"service"`
	Follow  bool   `json:"follow,omitempty"`
	Tail    int64  `json:"tail,omitempty"` // at most this many bytes of what is there; 0: all
}

// Code of an error, as Connect names it.
type Code string

const (
	InvalidArgument   Code = "invalid_argument"
	Unauthenticated   Code = "unauthenticated"
	PermissionDenied  Code = "permission_denied"
	ResourceExhausted Code = "resource_exhausted"
	Unimplemented     Code = "unimplemented"
	Unavailable       Code = "unavailable"
	Internal          Code = "internal"
)

// statuses are the HTTP statuses of the codes (connectrpc.com/docs/protocol#error-codes).
var statuses = map[Code]int{
	InvalidArgument:   http.StatusBadRequest,
	Unauthenticated:   http.StatusUnauthorized,
	PermissionDenied:  http.StatusForbidden,
	ResourceExhausted: http.StatusTooManyRequests,
	Unimplemented:     http.StatusNotImplemented,
	Unavailable:       http.StatusServiceUnavailable,
	Internal:          http.StatusInternalServerError,
}

// Error is the body of an answer that is not 200.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Status is the HTTP status of e.
func (e *Error) Status() int {
	if s, known := statuses[e.Code]; known {
		return s
	}
	return http.StatusInternalServerError
}

// Errorf makes an error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

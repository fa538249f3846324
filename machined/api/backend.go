package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api/podlog"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/state"
)

// Names of the services' logs.
const (
	KubeLog     = "kube"     // Kubernetes with containerd
	MachinedLog = "machined" // the machine daemon and init
	KernelLog   = "kernel"
)

// Backend is what the methods act on.
type Backend struct {
	Store   *state.Store
	Events  *events.Log
	Release release.Release
	System  inspect.System
	Disk    string // the whole disk that the machine was booted from, such as /dev/vda; empty: none

	Logs        map[string]LogSource // by service
	PodLogs     podlog.Folder
	TimeServers func() []string                                 // that are asked, the best first
	Leases      func() map[string]string                        // what DHCP gave, by interface
	Kubeconfig  func(ctx context.Context) ([]byte, error)       //
	Tokens      Tokens                                          // nil: the machine cannot
	Endpoint    func() string                                   // cluster.endpoint of the config
	Restart     map[string]func() error                         // by service, those that can be restarted
	Power       func(message, by string) error                  // message is control.Reboot or control.Poweroff
	Reset       func(ctx context.Context, o ResetOptions) error // nil: the machine cannot
	Config      Config                                          // nil: the machine cannot
	Upgrade     Upgrader                                        // nil: the machine cannot
}

// Config is the machine's config as the methods change it. Errors of an [apply.Applier] go to the caller with their kind.
//
// Calls come one at a time, and go on when the caller goes: a change of the network takes away the connection it came
// over. When Apply has put a first config in force, it has called [Server.Allow] before it returns: from then on callers
// need a key.
type Config interface {
	// GetConfig gives the config in force and the one for the next boot, secrets redacted unless asked for.
	GetConfig(ctx context.Context, secrets bool) (ConfigFile, error)
	Apply(ctx context.Context, r apply.Request) (apply.Result, error)
	// Patch merges a JSON merge patch (RFC 7386), written in YAML, into the config in force, and applies that. The request's
	// text is the patch.
	Patch(ctx context.Context, r apply.Request) (apply.Result, error)
	Confirm(by string) error
	Cancel(by string) (what string, err error) // "try" or "staged"
}

// Tokens are those with which agents join the cluster of a server.
type Tokens interface {
	CreateToken(ctx context.Context, n control.NewToken) (control.MadeToken, error)
	ListTokens(ctx context.Context) ([]control.JoinToken, error)
	DeleteToken(ctx context.Context, id string) error
}

// ConfigFile is a config as it is kept.
type ConfigFile struct {
	YAML   []byte // empty: the machine has none
	Digest string // SHA-256 of the file with its secrets, hex
	Staged []byte // the config for the next boot; empty: none
}

// ResetOptions are how a machine is reset.
type ResetOptions struct {
	Wipe     bool   // make DATA anew
	Shutdown bool   // power off rather than reboot
	By       string // whose key the caller has
}

// failure is an error with a kind.
func failure(code connect.Code, text string) error { return connect.NewError(code, errors.New(text)) }

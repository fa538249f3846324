package server

import (
	"path/filepath"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/worker"
)

// Paths are those of a worker, with those of a server in them.
type Paths struct{ worker.Paths }

func (p Paths) database() string        { return filepath.Join(p.State, "db", "state.db") }
func (p Paths) roles() string           { return filepath.Join(p.State, "roles") }     // there once a cluster has lived for a minute
func (p Paths) manifests() string       { return filepath.Join(p.State, "manifests") } // that were fetched
func (p Paths) pkiState() string        { return filepath.Join(p.State, "pki") }
func (p Paths) pkiRun() string          { return filepath.Join(p.Run, "pki") }
func (p Paths) datastoreSocket() string { return filepath.Join(p.Run, "datastore.sock") }
func (p Paths) ephemeralSocket() string { return filepath.Join(p.Run, "ephemeral.sock") }
func (p Paths) controlSocket() string   { return filepath.Join(p.Run, filepath.Base(control.SocketPath)) }

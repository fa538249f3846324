// Package datastore serves the cluster's objects to the apiserver: etcd's protocol, spoken by kine on unix sockets of this
// process, with SQLite on disk behind one and memory behind the other.
//
// The second socket takes what may be lost at a restart and would otherwise be nearly every write: node leases are renewed
// every ten seconds, and flash wears out.
package datastore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	"github.com/k3s-io/kine/pkg/drivers/memory"
	"github.com/k3s-io/kine/pkg/drivers/sqlite"
	"github.com/k3s-io/kine/pkg/server"
)

// Config says where the objects are and where they are served.
type Config struct {
	Path            string // of the SQLite database; "-wal" and "-shm" are beside it
	Socket          string // of the durable store
	EphemeralSocket string // of the store in memory; empty: none
	// Seed creates what a new database begins with, before anybody is served. After an error nothing of it is there, and
	// others have to create it. nil: nothing.
	Seed func(create func(key string, value []byte) error) error
}

// Server is the datastore of a single server.
type Server struct {
	config Config
	seeded bool // settled before ready is closed
	ready  chan struct{}
}

// New prepares a server; nothing is opened before [Server.Run].
func New(config Config) *Server {
	return &Server{config: config, ready: make(chan struct{})}
}

// Exists reports whether a cluster's database is at path. An error says that it cannot be known: the disk does not answer.
func Exists(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// Ready returns nil once both stores answer.
func (s *Server) Ready(context.Context) error {
	select {
	case <-s.ready:
		return nil
	default:
		return errors.New("not open yet")
	}
}

// Wait returns nil once both stores answer.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Seeded reports whether the database was made, and seeded, by this server. It may be asked once the stores are ready.
func (s *Server) Seeded() bool { return s.seeded }

// Run serves until ctx is cancelled; then every commit is on disk and the database is closed.
func (s *Server) Run(ctx context.Context) (err error) {
	// The backends outlive ctx by the time that their gRPC servers need to stop.
	backendCtx, closeBackends := context.WithCancel(context.WithoutCancel(ctx))
	var backends sync.WaitGroup
	defer func() {
		closeBackends()
		backends.Wait()
	}()

	exists, err := Exists(s.config.Path)
	if err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	durable, dialect, err := openSQLite(backendCtx, &backends, s.config.Path)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.config.Path, err)
	}
	if !exists && s.config.Seed != nil {
		err := s.seed(ctx, dialect)
		if err != nil {
			slog.Warn("what a new cluster begins with could not be stored at once", "error", err)
		}
		s.seeded = err == nil
	}
	stores := []store{{durable, s.config.Socket}}
	if s.config.EphemeralSocket != "" {
		_, ephemeral, err := memory.New(backendCtx, &backends, settings())
		if err != nil {
			return fmt.Errorf("open the store in memory: %w", err)
		}
		stores = append(stores, store{ephemeral, s.config.EphemeralSocket})
	}

	failed := make(chan error, len(stores))
	for _, st := range stores {
		if err := st.backend.Start(backendCtx); err != nil {
			return fmt.Errorf("start the store of %s: %w", st.socket, err)
		}
		stop, err := st.serve(failed)
		if err != nil {
			return err
		}
		defer stop()
	}
	close(s.ready)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// seed stores all in one transaction: it is there as a whole or not at all, and synced once.
func (s *Server) seed(ctx context.Context, dialect server.Dialect) error {
	start, n := time.Now(), 0
	tx, err := dialect.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	err = s.config.Seed(func(key string, value []byte) error {
		n++
		_, err := tx.Insert(ctx, key, true, false, 0, 0, value)
		return err
	})
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	slog.Info("datastore seeded", "objects", n, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

func openSQLite(ctx context.Context, wg *sync.WaitGroup, path string) (server.Backend, server.Dialect, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	c := settings()
	c.DataSourceName = dataSourceName(path)
	start := time.Now()
	backend, dialect, err := sqlite.NewVariant(ctx, wg, "sqlite3", c)
	if err == nil {
		slog.Info("datastore opened", "path", path, "took", time.Since(start).Round(time.Millisecond))
	}
	return backend, dialect, err
}

// dataSourceName is the database's path with SQLite's settings, in kine's notation.
func dataSourceName(path string) string {
	return path + "?_journal_mode=WAL" +
		// Every commit is synced: what the apiserver acknowledged survives a power cut (docs/decisions/0010-datastore-sync.md).
		"&_synchronous=FULL" +
		"&_busy_timeout=30000&_txlock=immediate" +
		// KiB of pages that a connection keeps; SQLite's own is 2000. The kernel's page cache has the file anyway.
		"&_pragma=cache_size(-512)" +
		// A VACUUM rewrites the whole database at every start. Free pages are used again, which is enough.
		"&_kine_disable_startup_vacuum"
}

// settings are kine's; its configuration has no usable zero values.
func settings() *drivers.Config {
	return &drivers.Config{
		// 0 leaves compaction to the apiserver (--etcd-compaction-interval), which compacts both stores.
		CompactInterval:  0,
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000, // revisions that watches may still ask for
		CompactBatchSize: 1000,
		// Writes of this process wake the poller at once; the interval is only for a wake-up that was lost.
		PollInterval:  5 * time.Second,
		PollBatchSize: 500,
		// SQLite has one writer.
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 2, MaxOpen: 6, MaxIdleTime: time.Minute},
	}
}

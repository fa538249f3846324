package datastore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// run starts a server and returns a client of the durable store, one of the store in memory, and what stops the server.
func run(t *testing.T, dir string) (durable, ephemeral *clientv3.Client, stop func()) {
	t.Helper()
	return runSeeded(t, dir, nil)
}

func runSeeded(t *testing.T, dir string, seed func(func(string, []byte) error) error) (durable, ephemeral *clientv3.Client, stop func()) {
	t.Helper()
	config := Config{
		Path:            filepath.Join(dir, "db", "state.db"),
		Socket:          filepath.Join(dir, "kine.sock"),
		EphemeralSocket: filepath.Join(dir, "ephemeral.sock"),
	}
	config.Seed = seed
	s := New(config)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); s.Ready(ctx) != nil; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("ended early: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready in time")
		}
	}
	dial := func(socket string) *clientv3.Client {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + socket}, DialTimeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	return dial(config.Socket), dial(config.EphemeralSocket), func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("did not stop")
		}
	}
}

func create(t *testing.T, c *clientv3.Client, key, value string) {
	t.Helper()
	response, err := c.Txn(t.Context()).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, value)).
		Else(clientv3.OpGet(key)).Commit()
	if err != nil || !response.Succeeded {
		t.Fatalf("create %s: %v, %+v", key, err, response)
	}
}

func get(t *testing.T, c *clientv3.Client, key string) string {
	t.Helper()
	response, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(response.Kvs) == 0 {
		return ""
	}
	return string(response.Kvs[0].Value)
}

func TestOnlyTheDurableStoreSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	durable, ephemeral, stop := run(t, dir)
	create(t, durable, "/registry/pods/a", "pod")
	create(t, ephemeral, "/registry/leases/a", "lease")
	if get(t, ephemeral, "/registry/leases/a") != "lease" {
		t.Error("the store in memory does not answer")
	}
	if get(t, durable, "/registry/leases/a") != "" {
		t.Error("what is ephemeral went to disk")
	}
	stop()

	if exists, err := Exists(filepath.Join(dir, "db", "state.db")); !exists || err != nil {
		t.Error("no database after the first run")
	}
	durable, ephemeral, stop = run(t, dir)
	defer stop()
	if get(t, durable, "/registry/pods/a") != "pod" {
		t.Error("the durable store lost an object")
	}
	if get(t, ephemeral, "/registry/leases/a") != "" {
		t.Error("the store in memory kept an object")
	}
}

// A power cut leaves the write-ahead log beside the database; what was acknowledged has to be in the two.
func TestAcknowledgedWritesAreInTheFilesAtOnce(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	durable, _, stop := run(t, dir)
	defer stop()
	create(t, durable, "/registry/secrets/a", "kept")
	if err := os.MkdirAll(filepath.Join(copied, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state.db", "state.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, "db", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, "db", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	afterCut, _, stopCopy := run(t, copied)
	defer stopCopy()
	if get(t, afterCut, "/registry/secrets/a") != "kept" {
		t.Error("an acknowledged write is lost")
	}
}

// TestSeed: what a new database is seeded with is served from the first moment, and is not put there again.
func TestSeed(t *testing.T) {
	dir, seeded := t.TempDir(), 0
	seed := func(create func(string, []byte) error) error {
		seeded++
		return errors.Join(create("/registry/a", []byte("1")), create("/registry/b", []byte("2")))
	}
	for range 2 {
		durable, _, stop := runSeeded(t, dir, seed)
		if a, b := get(t, durable, "/registry/a"), get(t, durable, "/registry/b"); a != "1" || b != "2" {
			t.Errorf("got %q and %q", a, b)
		}
		stop()
	}
	if seeded != 1 {
		t.Errorf("seeded %d times", seeded)
	}
}

// TestSeedFails: half a seed is not kept, and the store works without.
func TestSeedFails(t *testing.T) {
	durable, _, stop := runSeeded(t, t.TempDir(), func(create func(string, []byte) error) error {
		return errors.Join(create("/registry/a", []byte("1")), errors.New("no"))
	})
	defer stop()
	if got := get(t, durable, "/registry/a"); got != "" {
		t.Errorf("got %q", got)
	}
	create(t, durable, "/registry/a", "2")
}

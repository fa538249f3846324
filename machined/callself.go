package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
)

// callSelf asks the machine API for its version, as anybody could, over the loopback interface.
func (d *daemon) callSelf(ctx context.Context) error {
	d.mu.Lock()
	port := d.port
	d.mu.Unlock()
	if d.machineKey == nil || port == 0 {
		return errors.New("it was not started")
	}
	c, err := client.New(client.Options{
		Address: fmt.Sprintf("127.0.0.1:%d", port), Fingerprint: keys.Public(d.machineKey).Fingerprint(),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = c.GetVersion(ctx, connect.NewRequest(&machinepb.GetVersionRequest{}))
	return err
}

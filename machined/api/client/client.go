// Package client calls the machine API.
package client

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/keys"
)

// ErrOtherMachine is that a machine showed another key than the one that is pinned.
var ErrOtherMachine = errors.New("the machine's key is not the one that is pinned")

// maxAnswer bounds an answer, and a message of a stream, in bytes.
const maxAnswer = 16 << 20

// Client calls one machine. Errors are of type [connect.Error], also that nothing answers.
type Client struct {
	machinepbconnect.MachineServiceClient
	http *http.Client
}

// Options of a client.
type Options struct {
	Address string             // host:port
	Key     ed25519.PrivateKey // the caller's; nil: only what needs no key can be called
	// Fingerprint of the machine's key, as its console shows it. Empty: any machine is trusted, which is for machines
	// that cannot have been replaced, such as a VM behind a port of this host.
	Fingerprint string
}

// New returns a client. It connects when it is called.
func New(o Options) (*Client, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // there is no authority and no expiry: the key is checked instead
		VerifyConnection: func(c tls.ConnectionState) error {
			key, ok := keys.Peer(c)
			switch {
			case !ok:
				return fmt.Errorf("%w: it is not an Ed25519 key", ErrOtherMachine)
			case o.Fingerprint != "" && key.Fingerprint() != o.Fingerprint:
				return fmt.Errorf("%w: it has %s, want %s", ErrOtherMachine, key.Fingerprint(), o.Fingerprint)
			}
			return nil
		},
	}
	if o.Key != nil {
		certificate, err := keys.Certificate(o.Key, "client")
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	c := &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: 15 * time.Second, IdleConnTimeout: 20 * time.Second,
		ForceAttemptHTTP2: true,                                                 // Go does not by itself with a TLS config of one's own
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second}, // a machine that went away ends a stream
	}}
	service := machinepbconnect.NewMachineServiceClient(c, "https://"+o.Address, connect.WithReadMaxBytes(maxAnswer))
	return &Client{service, c}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

package api_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
)

// pipes is a listener in memory, so that its connections' deadlines go by the time of a test.
type pipes struct {
	come chan net.Conn
	done chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.come:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.done)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.come <- there
	return here, nil
}

// TestQuietStreamsLast: one on which nothing happens for hours is not cut off.
func TestQuietStreamsLast(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipes{make(chan net.Conn), make(chan struct{})}
				m := startOn(t, p)
				key := m.allow(t)[types.Reader]
				h := &http.Client{Transport: &http.Transport{DialContext: p.dial, TLSClientConfig: tlsConfig(t, key), ForceAttemptHTTP2: http2}}
				defer h.CloseIdleConnections()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stream, err := machinepbconnect.NewMachineServiceClient(h, "https://pi").GetEvents(ctx, connect.NewRequest(&machinepb.GetEventsRequest{Follow: true}))
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					go func() {
						time.Sleep(5 * time.Hour)
						m.events.Add(events.Event{Message: "at last"})
					}()
					if !stream.Receive() || stream.Msg().Event.Message != "at last" {
						t.Fatal(stream.Err())
					}
				}
				cancel()
				for stream.Receive() {
				}
				stream.Close()
			})
		})
	}
}

// TestSlowCallersAreCutOff: who does not say, or does not take, what he should, holds his connection for a minute at most.
func TestSlowCallersAreCutOff(t *testing.T) {
	const head = "POST " + service + "GetLogs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n"
	for name, tc := range map[string]struct {
		says  string // once the connection is made
		plain bool   // without TLS
	}{
		"no handshake":    {"", true},
		"half a hello":    {"\x16\x03\x01\x02\x00\x01", true},
		"no request":      {"", false},
		"half a header":   {"POST /", false},
		"half a body":     {head + `{"service":`, false},
		"takes no stream": {head + `{"service":"kube","follow":true}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipes{make(chan net.Conn), make(chan struct{})}
				key := startOn(t, p).allow(t)[types.Reader]
				raw, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				c := raw
				if !tc.plain {
					secured := tls.Client(raw, tlsConfig(t, key))
					if err := secured.Handshake(); err != nil {
						t.Fatal(err)
					}
					c = secured
				}
				io.WriteString(c, tc.says)
				time.Sleep(time.Minute) // nothing is taken meanwhile, and a pipe holds nothing
				raw.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := io.Copy(io.Discard, raw); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the machine keeps the connection")
				}
			})
		})
	}
}

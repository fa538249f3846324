package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
)

func TestBadRequests(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	big := strings.Repeat("x", 100<<10)
	for name, tc := range map[string]struct {
		method, path, kind, body string
		status                   int
		answer                   string
	}{
		"no body":            {"POST", service + "GetVersion", "", "", 200, "0.1.0"},
		"GET":                {"GET", service + "GetVersion", "", "", 501, "is called with POST"},
		"no such method":     {"POST", service + "GetRich", "application/json", "{}", 501, "there is no such path"},
		"no such path":       {"POST", "/x", "application/json", "{}", 501, "there is no such path"},
		"no such type":       {"POST", service + "GetVersion", "text/plain", "{}", 415, ""},
		"not JSON":           {"POST", service + "GetVersion", "application/json", "{", 400, "invalid_argument"},
		"not protobuf":       {"POST", service + "RestartService", "application/proto", "\x0a\xff", 400, "invalid_argument"},
		"too large":          {"POST", service + "RestartService", "application/json", `{"name":"` + big + `"}`, 429, "resource_exhausted"},
		"config too large":   {"POST", service + "ApplyConfig", "application/proto", "\x0a\x81\x80\x40" + strings.Repeat("x", 1<<20+1), 429, "1048576"},
		"compressed":         {"POST", service + "GetVersion", "application/json gzip", "\x1f\x8b", 501, "gzip"},
		"metrics by POST":    {"POST", "/metrics", "", "", 501, "GET"},
		"envelope cut off":   {"POST", service + "GetLogs", "application/connect+json", "\x00\x00\x00\xff\xff{", 200, "unexpected EOF"},
		"envelope too large": {"POST", service + "GetLogs", "application/connect+json", "\x00\xff\xff\xff\xff{}", 200, "resource_exhausted"},
		"two messages":       {"POST", service + "GetLogs", "application/connect+json", "\x00\x00\x00\x00\x02{}\x00\x00\x00\x00\x02{}", 200, "unimplemented"},
		"lines too large":    {"POST", service + "GetLogs", "application/json", `{"service":"` + big + `"}`, 429, "resource_exhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, "https://"+m.address+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			kind, encoding, compressed := strings.Cut(tc.kind, " ")
			if kind != "" {
				req.Header.Set("Content-Type", kind)
			}
			if compressed {
				req.Header.Set("Content-Encoding", encoding)
			}
			resp, err := plain(t, private[types.Admin]).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.status || !bytes.Contains(body, []byte(tc.answer)) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	if got := m.last(); got != "" {
		t.Errorf("the machine was asked for %q", got)
	}
}

// zeros is a body of zeros that counts what was taken of it, until it is closed.
type zeros struct {
	left, taken int64
	closed      chan struct{}
	close       func()
}

func newZeros(n int64) *zeros {
	z := &zeros{left: n, closed: make(chan struct{})}
	z.close = sync.OnceFunc(func() { close(z.closed) })
	return z
}

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.left)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.left, z.taken = z.left-n, z.taken+n
	return int(n), nil
}

func (z *zeros) Close() error {
	z.close()
	return nil
}

// TestHugeBodiesAreCutOff: one of 100 MB is refused long before its end, of whoever it is.
func TestHugeBodiesAreCutOff(t *testing.T) {
	const huge, most = 100 << 20, 8 << 20 // what is on its way in buffers is taken too
	m := start(t)
	private := m.allow(t)
	for name, tc := range map[string]struct {
		key    ed25519.PrivateKey
		method string
		kind   string
		http2  bool
	}{
		"stranger":          {nil, "ApplyConfig", "application/json", false},
		"admin":             {private[types.Admin], "ApplyConfig", "application/json", false},
		"reader":            {private[types.Reader], "GetStatus", "application/proto", false},
		"stream":            {private[types.Reader], "GetLogs", "application/connect+proto", false},
		"lines":             {private[types.Reader], "GetLogs", "application/json", false},
		"HTTP/2 stranger":   {nil, "ApplyConfig", "application/proto", true},
		"HTTP/2 admin":      {private[types.Admin], "ApplyConfig", "application/proto", true},
		"no such method":    {nil, "GetRich", "application/json", false},
		"anybody's, gRPC":   {nil, "GetVersion", "application/grpc", true},
		"anybody's, unary":  {nil, "GetVersion", "application/json", false},
		"no known protocol": {nil, "GetVersion", "text/plain", false},
	} {
		t.Run(name, func(t *testing.T) {
			body := newZeros(huge)
			req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+m.address+service+tc.method, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = huge
			req.Header.Set("Content-Type", tc.kind)
			c := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig(t, tc.key), ForceAttemptHTTP2: tc.http2}}
			defer c.CloseIdleConnections()
			resp, err := c.Do(req)
			if err == nil { // the connection may have been closed while the client was writing
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == 200 && tc.kind != "application/connect+proto" && tc.kind != "application/grpc" {
					t.Errorf("answered with %s", resp.Status)
				}
			}
			<-body.closed // no more of it is taken
			if body.taken > most {
				t.Errorf("%d bytes were taken", body.taken)
			}
		})
	}
	if got := m.last(); got != "" {
		t.Errorf("the machine was asked for %q", got)
	}
}

// dial makes a TLS connection.
func dial(t *testing.T, address string, key ed25519.PrivateKey) *tls.Conn {
	t.Helper()
	config := tlsConfig(t, key)
	config.NextProtos = []string{"http/1.1"}
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const rebootRequest = "POST " + service + "Reboot HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

// TestReplay: a request is worth nothing without the key that the TLS connection was made with.
func TestReplay(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	answer := func(c *tls.Conn) string {
		if _, err := io.WriteString(c, rebootRequest); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(c, first); err != nil {
			t.Fatal(err)
		}
		return string(first)
	}
	if got := answer(dial(t, m.address, private[types.Operator])); got != "HTTP/1.1 200" || m.last() != "reboot by otto" {
		t.Fatalf("%s, asked %q", got, m.last())
	}
	m.note("")
	if got := answer(dial(t, m.address, nil)); got != "HTTP/1.1 401" || m.last() != "" {
		t.Errorf("the same bytes on another connection: %s, asked %q", got, m.last())
	}

	// The bytes of a whole TLS connection, recorded on the way.
	recorded := record(t, m.address, private[types.Operator])
	m.note("")
	again, err := net.Dial("tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.Write(recorded)
	again.SetDeadline(time.Now().Add(20 * time.Second))
	io.Copy(io.Discard, again) // until the machine has closed it
	if m.last() != "" {
		t.Errorf("a recorded connection was played again, and the machine was asked for %q", m.last())
	}
}

// record makes a call and returns what the client sent.
func record(t *testing.T, address string, key ed25519.PrivateKey) []byte {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var sent bytes.Buffer
	config := tlsConfig(t, key)
	config.NextProtos = []string{"http/1.1"}
	c := tls.Client(recorder{raw, &sent}, config)
	io.WriteString(c, rebootRequest)
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	return sent.Bytes()
}

type recorder struct {
	net.Conn
	sent *bytes.Buffer
}

func (r recorder) Write(p []byte) (int, error) {
	r.sent.Write(p)
	return r.Conn.Write(p)
}

func TestOldTLSIsRefused(t *testing.T) {
	m := start(t)
	_, err := tls.Dial("tcp", m.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

// TestTruncatedRequests: what ends too early does nothing, and the machine goes on.
func TestTruncatedRequests(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	for cut := 1; cut < len(rebootRequest); cut += 7 {
		c := dial(t, m.address, private[types.Operator])
		io.WriteString(c, rebootRequest[:cut])
		c.Close()
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, 100)
	c := dial(t, m.address, private[types.Operator])
	io.WriteString(c, "POST "+service+"GetSupportBundle HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+proto\r\nContent-Length: 105\r\n\r\n"+string(frame))
	c.Close()
	if _, err := m.client(t, private[types.Reader]).GetStatus(t.Context(), connect.NewRequest(&machinepb.GetStatusRequest{})); err != nil {
		t.Error(err)
	}
	if m.last() != "" {
		t.Errorf("the machine was asked for %q", m.last())
	}
}

// TestManyIdleConnections: whoever opens many and says nothing keeps nobody out who has a key, not even one who comes from
// the same address, and does not push him out.
func TestManyIdleConnections(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Reader])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watching, err := c.WatchStatus(ctx, connect.NewRequest(&machinepb.WatchStatusRequest{}))
	if err != nil || !watching.Receive() {
		t.Fatal(err)
	}
	for range 1000 {
		idle, err := net.Dial("tcp", m.address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	another := m.client(t, m.allowMore(t))
	if _, err := another.GetStatus(t.Context(), connect.NewRequest(&machinepb.GetStatusRequest{})); err != nil {
		t.Errorf("a new caller: %v", err)
	}
	m.store.Update(renamed)
	if !watching.Receive() || watching.Msg().Status.Name != "another" {
		t.Errorf("the one who was there: %v", watching.Err())
	}
}

package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
)

var (
	discard  = slog.New(slog.DiscardHandler)
	noEvents = new(events.Log)
	noKey    = new(tls.ConnectionState)
)

// peer is a connection from an address.
type peer struct {
	net.Conn
	from   string
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.from)) }
func (p *peer) Close() error         { p.closed = true; return nil }

func TestLimiter(t *testing.T) {
	for name, tc := range map[string]struct {
		come []string // address, with + for one that shows a key
		want string   // numbers of those that are open in the end
	}{
		"few":                            {[]string{"192.0.2.1", "192.0.2.2"}, "0 1"},
		"the oldest of an address goes":  {[]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, "1 2"},
		"one with a key stays":           {[]string{"192.0.2.1+", "192.0.2.1", "192.0.2.1"}, "0 2"},
		"none without a key to go":       {[]string{"192.0.2.1+", "192.0.2.1+", "192.0.2.1"}, "0 1"},
		"full: who has most gives":       {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"}, "0 2 3 4"},
		"full of keys":                   {[]string{"192.0.2.1+", "192.0.2.2+", "192.0.2.3+", "192.0.2.4+", "192.0.2.5"}, "0 1 2 3"},
		"an IPv6 network is one":         {[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}, "1 2"},
		"another IPv6 network":           {[]string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"}, "0 1 2"},
		"IPv4 in IPv6 is IPv4":           {[]string{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"}, "1 2"},
		"with nobody else: the own ones": {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.4"}, "0 1 2 4"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &limiter{most: 4, mostPerAddress: 2}
			var all []*peer
			for _, address := range tc.come {
				ip, keyed := strings.CutSuffix(address, "+")
				p := &peer{from: netip.AddrPortFrom(netip.MustParseAddr(ip), 1).String()}
				all = append(all, p)
				c := &limited{Conn: p, from: sourceOf(p), limiter: l}
				displaced, ok := l.take(c)
				if displaced != nil {
					displaced.Close()
				}
				if !ok {
					p.Close()
					continue
				}
				c.setKeyed(keyed)
			}
			var open []string
			for i, p := range all {
				if !p.closed {
					open = append(open, fmt.Sprint(i))
				}
			}
			if got := strings.Join(open, " "); got != tc.want || len(l.open) != len(open) {
				t.Errorf("open %s, want %s; %d are counted", got, tc.want, len(l.open))
			}
		})
	}
}

func TestHandshakesOfStrangersAreSlowedDown(t *testing.T) {
	var h handshakes
	now := time.Unix(1000, 0)
	a, b := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for range handshakeBurst {
		if wait := h.take(a, now); wait != 0 {
			t.Fatalf("waits %v", wait)
		}
	}
	if wait := h.take(a, now); wait != time.Second/handshakeRate {
		t.Errorf("one too many waits %v", wait)
	}
	if wait := h.take(b, now); wait != 0 {
		t.Errorf("another waits %v", wait)
	}
	for range 1000 { // a caller with a key costs nothing
		h.take(b, now)
		h.giveBack(b, now)
	}
	if wait := h.take(b, now); wait != 0 {
		t.Errorf("a caller with a key waits %v", wait)
	}
	if wait := h.take(a, now.Add(time.Minute)); wait != 0 {
		t.Errorf("after a minute it waits %v", wait)
	}
	for i := range 3 * maxSources {
		h.take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32), now)
	}
	if len(h.per) > maxSources {
		t.Errorf("%d addresses are remembered", len(h.per))
	}
}

// TestPermissionIsLookedAtAgain: a caller without a key may have come before the first config, and be served after it.
func TestPermissionIsLookedAtAgain(t *testing.T) {
	s := service{&Server{Backend: Backend{Config: struct{ Config }{}}}}
	ctx := context.WithValue(t.Context(), callerKey{}, caller{})
	did := false
	do := func(context.Context) error { did = true; return nil }
	if err := s.change(ctx, "ApplyConfig", do); err != nil || !did {
		t.Fatal(err)
	}
	did = false
	s.Allow(nil, true)
	if err := s.change(ctx, "ApplyConfig", do); connect.CodeOf(err) != connect.CodeUnauthenticated || did {
		t.Errorf("%v, done %v", err, did)
	}
}

func TestSplitter(t *testing.T) {
	var got []string
	s := &splitter{line: func(b []byte) error { got = append(got, string(b)); return nil }}
	for _, p := range []string{"a", "b\nc\n", "\n", strings.Repeat("x", maxLine+1) + "\n", "end"} {
		if n, err := io.WriteString(s, p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	s.end()
	want := []string{"ab\n", "c\n", "\n", strings.Repeat("x", maxLine) + "\n", "x\n", "end\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%.100q", got)
	}
}

func TestLastLines(t *testing.T) {
	var got string
	l := &lastLines{most: 2, next: func(b []byte) error { got += string(b); return nil }}
	for _, s := range []string{"a\n", "b\n", "c\n"} {
		l.line([]byte(s))
	}
	if l.flush(); got != "b\nc\n" {
		t.Errorf("%q", got)
	}
	l.most = 1 << 40
	for range 100 {
		l.line(make([]byte, maxLine))
	}
	if l.size > maxTail {
		t.Errorf("%d bytes are held back", l.size)
	}
}

func TestTimesOfLines(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC)
	for line, want := range map[string]string{
		"I0101 00:00:04.500000       7 a.go:1] text":                           "2026-01-01T00:00:04.5Z",
		"E1231 23:59:59.000000       7 a.go:1] text":                           "2025-12-31T23:59:59Z",
		`time="2026-01-01T00:00:01.123456789Z" level=info msg="x"`:             "2026-01-01T00:00:01.123456789Z",
		`{"level":"warn","ts":"2026-01-01T00:00:02.500000Z","msg":"etcd"}`:     "2026-01-01T00:00:02.5Z",
		`{"level":"warn","ts":"2026-01-01T01:00:02.500000+0100","msg":"etcd"}`: "2026-01-01T00:00:02.5Z",
		"I9999 00:00:04.500000       7 a.go:1] text":                           "",
		"goroutine 1 [running]:":                                               "",
		"":                                                                     "",
	} {
		got := ""
		if at, ok := kubeTime([]byte(line), now); ok {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	kernel := KernelTime(func() time.Time { return now })
	if at, ok := kernel([]byte("[    5.500000] text\n")); !ok || at.Sub(now) != 5500*time.Millisecond {
		t.Errorf("%v %v", at, ok)
	}
	for _, line := range []string{"", "text", "[x] text", "[-1.0] text", "[1e99] text", "[NaN] text"} {
		if at, ok := kernel([]byte(line)); ok {
			t.Errorf("%q: %v", line, at)
		}
	}
}

func FuzzTimes(f *testing.F) {
	f.Add("I0101 00:00:04.500000       7 a.go:1] text")
	f.Add(`time="2026-01-01T00:00:01.123456789Z" level=info`)
	f.Add("[    5.500000] text")
	f.Fuzz(func(t *testing.T, line string) {
		if at, ok := kubeTime([]byte(line), time.Unix(1e9, 0)); ok && at.IsZero() && !strings.Contains(line, "0001-01-01") {
			t.Errorf("%q has the time 0", line)
		}
		KernelTime(time.Now)([]byte(line))
		if hidden := hideArgument([]byte(line)); strings.Contains(line, "coracle.config=https://u:pw@h") && strings.Contains(string(hidden), "u:pw") {
			t.Errorf("%q", hidden)
		}
	})
}

// FuzzLines gives what a stream could write, cut anywhere.
func FuzzLines(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02{}\x02\x00\x00\x00\x02{}"), 3)
	f.Add([]byte("\x02\x00\x00\x00\x1c{\"error\":{\"code\":\"internal\"}}"), 6)
	f.Add([]byte("\x00\xff\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		answer := httptest.NewRecorder()
		w := &lineWriter{w: answer, header: http.Header{}}
		cut = max(0, min(cut, len(stream)))
		if _, err := w.Write(stream[:cut]); err == nil {
			w.Write(stream[cut:])
		}
		w.flushHeader(http.StatusOK)
		if answer.Code < 200 || answer.Code > 599 {
			t.Errorf("status %d", answer.Code)
		}
	})
}

// FuzzRequests gives bytes to the whole handler, as bodies of every method: none may take it down, and none may get an
// answer without a key.
func FuzzRequests(f *testing.F) {
	f.Add([]byte("{}"), uint8(1), uint8(0))
	f.Add([]byte("\x00\x00\x00\x00\x02{}"), uint8(2), uint8(1))
	f.Add([]byte{0x0a, 0x01, 'x'}, uint8(5), uint8(2))
	s := &Server{Log: discard, Backend: Backend{Store: state.NewStore(state.Machine{Name: "pi"}), Events: noEvents}}
	s.failures.Log = noEvents
	s.Allow(nil, true)
	handler := s.handler()
	kinds := []string{"application/json", "application/connect+json", "application/proto", "application/grpc", "application/grpc-web+proto", "application/connect+proto", ""}
	f.Fuzz(func(t *testing.T, body []byte, method, kind uint8) {
		m := methods[int(method)%len(methods)]
		r := httptest.NewRequest(http.MethodPost, procedurePath(m.name), strings.NewReader(string(body)))
		r.TLS = noKey
		r.ProtoMajor = 2
		r.Header.Set("Content-Type", kinds[int(kind)%len(kinds)])
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if strings.Contains(answer.Body.String(), "pi\"") {
			t.Errorf("%s answers a stranger: %s", m.name, answer.Body)
		}
	})
}

// FuzzStatus: whatever parts of the machine say, a status can be sent.
func FuzzStatus(f *testing.F) {
	f.Add("text")
	f.Add("\xff\x00")
	f.Fuzz(func(t *testing.T, s string) {
		m := state.Machine{
			Config: state.Config{Source: s, Sources: []state.ConfigSource{{Name: s, Why: s}}}, Time: state.Time{Problem: s, Server: s},
			Kube: state.Kube{LastExit: s}, Conditions: []state.Condition{{Message: s, Hint: s}}, Addresses: []state.Address{{Interface: s}},
			Board: state.Board{Model: s, Compatible: []string{s}},
		}
		if _, err := proto.Marshal(&machinepb.GetStatusResponse{Status: toStatus(m)}); err != nil {
			t.Error(err)
		}
	})
}

func TestExposition(t *testing.T) {
	var e exposition
	e.metric("a_total", counter, "Help \\ with\nlines.", of(1.5, "x", "a\"b\\c\nd\xff", "y", "z"), of(2e9))
	e.metric("none", gauge, "Left out.")
	want := "# HELP a_total Help \\\\ with\\nlines.\n# TYPE a_total counter\na_total{x=\"a\\\"b\\\\c\\nd?\",y=\"z\"} 1.5\na_total 2e+09\n"
	if got := e.b.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

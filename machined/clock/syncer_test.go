package clock

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// server is an NTP server (RFC 5905, section 7.3) that is off by ahead.
type server struct {
	ahead   time.Duration
	stratum byte
	kiss    string
	asked   atomic.Int32
}

// start lets the server answer on loopback and returns its address.
func (s *server) start(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, peer, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			s.asked.Add(1)
			if n >= 48 {
				conn.WriteTo(s.reply(b[:48]), peer)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func (s *server) reply(request []byte) []byte {
	now := stamp(time.Now().Add(s.ahead))
	r := make([]byte, 48)
	r[0] = 4<<3 | 4 // version, mode: server
	r[1] = max(1, s.stratum)
	if s.kiss != "" {
		r[1] = 0
	}
	copy(r[12:16], s.kiss)
	binary.BigEndian.PutUint64(r[16:], now-1<<32) // reference: a second ago
	copy(r[24:32], request[40:48])                // origin
	binary.BigEndian.PutUint64(r[32:], now)
	binary.BigEndian.PutUint64(r[40:], stamp(time.Now().Add(s.ahead)))
	return r
}

// stamp is t as NTP has it: seconds since 1900 and a fraction of 32 bits, modulo 2^32 seconds.
func stamp(t time.Time) uint64 {
	return uint64(t.Unix()+2208988800)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// fake is a clock that remembers what was done to it.
type fake struct {
	mu    sync.Mutex
	steps []time.Duration
	slews []time.Duration
	rtc   int
}

func (f *fake) Step(offset time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, offset)
	return nil
}

func (f *fake) Slew(offset, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slews = append(f.slews, offset)
	return nil
}

func (f *fake) SetRTC() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rtc++
	return nil
}

func TestSyncer(t *testing.T) {
	thisYear := time.Since(built)
	if thisYear < 0 {
		t.Skip("the clock of this machine is below the build time in the test")
	}
	tests := []struct {
		name    string
		servers []*server
		step    time.Duration // 0: slewed
		problem string
		saved   bool // the time was saved just now
		chosen  bool // the owner named the servers
	}{
		{"a clock that is right", []*server{{}}, 0, "", false, false},
		{"a clock that is behind", []*server{{ahead: time.Hour}}, time.Hour, "", false, false},
		{"a clock that is ahead", []*server{{ahead: -time.Second}}, -time.Second, "", false, false},
		{"a server from before the build", []*server{{ahead: -thisYear - 48*time.Hour}}, 0, "but this release was built 2026-11-01", false, false},
		{"a server from far in the future", []*server{{ahead: 40 * 365 * 24 * time.Hour}}, 0, "which is after", false, false},
		{"one of three is wrong", []*server{{ahead: 24 * time.Hour}, {}, {}}, 0, "", false, false},
		{"the second server helps out", []*server{{kiss: "DENY"}, {ahead: time.Hour}}, time.Hour, "", false, false},
		{"only a kiss of death", []*server{{kiss: "RATE"}}, 0, "asked us to leave it alone (RATE)", false, false},
		{"a server without a source", []*server{{stratum: 16}}, 0, "stratum", false, false},
		{"back behind the saved time", []*server{{ahead: -time.Hour}}, 0, "which is before", true, false},
		{"back, by a server that was chosen", []*server{{ahead: -time.Hour}}, -time.Hour, "", true, true},
		{"back, as two agree", []*server{{ahead: -time.Hour}, {ahead: -time.Hour}}, -time.Hour, "", true, false},
		{"back, and the two do not agree", []*server{{ahead: -time.Hour}, {ahead: -2 * time.Hour}}, 0, "in that no server is believed alone", true, false},
		{"back, but another knows better", []*server{{ahead: -time.Hour}, {}}, 0, "", true, false},
		{"back, as the fourth agrees", []*server{{ahead: -time.Hour}, {stratum: 16}, {stratum: 16}, {ahead: -time.Hour}}, -time.Hour, "", true, false},
		{"back to before the build, as two agree", []*server{{ahead: -thisYear - 48*time.Hour}, {ahead: -thisYear - 48*time.Hour}}, 0, "but this release was built", true, false},
		{"a little back", []*server{{ahead: -50 * time.Millisecond}}, 0, "", true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var addresses []string
			for _, s := range test.servers {
				addresses = append(addresses, s.start(t))
			}
			path := filepath.Join(t.TempDir(), "clock")
			s, clock := New(built, path, slog.New(slog.DiscardHandler)), &fake{}
			s.clock = clock
			if test.saved {
				s.save()
			}
			s.SetServers(addresses, test.chosen)
			state := runUntilChanged(t, s)
			if test.problem != "" {
				if state.Synced || !strings.Contains(state.Problem, test.problem) || len(clock.steps)+len(clock.slews) > 0 {
					t.Errorf("state %+v, clock %+v; want %q", state, clock, test.problem)
				}
				return
			}
			if !state.Synced || state.Problem != "" || state.Source == "" || time.Since(state.LastSync) > time.Minute {
				t.Errorf("state is %+v", state)
			}
			if test.step == 0 {
				if len(clock.steps) > 0 || len(clock.slews) != 1 || clock.slews[0].Abs() > stepAbove {
					t.Errorf("clock: %+v", clock)
				}
			} else if len(clock.steps) != 1 || (clock.steps[0]-test.step).Abs() > 100*time.Millisecond {
				t.Errorf("steps are %v, want %v", clock.steps, test.step)
			}
			if clock.rtc != 1 {
				t.Errorf("hardware clock was set %d times", clock.rtc)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the time was not saved: %v", err)
			}
		})
	}
}

// runUntilChanged runs s until it says something, and ends it.
func runUntilChanged(t *testing.T, s *Syncer) State {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	_, changed := s.State()
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		t.Error("the state did not change")
	}
	cancel()
	<-done
	state, _ := s.State()
	return state
}

func TestKissedServerIsLeftAlone(t *testing.T) {
	s := New(built, "", slog.New(slog.DiscardHandler))
	s.clock = &fake{}
	kissing := &server{kiss: "DENY"}
	s.SetServers([]string{kissing.start(t)}, false)
	var d discipline
	for range 3 {
		if next := s.poll(t.Context(), &d); next <= 0 {
			t.Errorf("next poll in %v", next)
		}
	}
	if n := kissing.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	if servers := s.candidates(time.Now().Add(2 * kissRest)); len(servers) != 1 {
		t.Errorf("it is never asked again")
	}
}

func TestServersArriveLate(t *testing.T) {
	s := New(built, "", slog.New(slog.DiscardHandler))
	s.clock = &fake{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	for {
		state, changed := s.State()
		switch {
		case state.Synced:
			return
		case state.Problem == "no time server is known":
			s.SetServers([]string{(&server{}).start(t)}, false)
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Fatalf("still %+v", state)
		}
	}
}

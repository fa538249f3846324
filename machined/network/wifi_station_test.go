package network

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

// asWPASupplicant makes this test program behave as wpa_supplicant: TestMain sees it in the environment.
const asWPASupplicant = "CORACLE_TEST_WPA_SUPPLICANT"

func TestMain(m *testing.M) {
	if os.Getenv(asWPASupplicant) != "" {
		pretend(os.Args)
		return
	}
	os.Exit(m.Run())
}

// pretend answers as wpa_supplicant does. It joins the network in the config unless the password says what is to go wrong.
func pretend(args []string) {
	name, config := args[5], args[7]
	text, err := os.ReadFile(config)
	if err != nil || strings.Contains(string(text), "fail-at-start") {
		fmt.Println("Failed to read or parse configuration")
		os.Exit(1)
	}
	var dir string
	for scanner := bufio.NewScanner(strings.NewReader(string(text))); scanner.Scan(); {
		if v, ok := strings.CutPrefix(scanner.Text(), "ctrl_interface="); ok {
			dir = v
		}
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unixgram"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	b := make([]byte, 1000)
	for {
		n, from, err := conn.ReadFromUnix(b)
		if err != nil {
			return
		}
		say := func(s string) { conn.WriteToUnix([]byte(s), from) }
		switch command := string(b[:n]); {
		case command == "PING":
			say("PONG\n")
		case command == "ATTACH" && strings.Contains(string(text), "wrong-password"):
			say("OK\n")
			say(`<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="a" auth_failures=1 duration=10 reason=WRONG_KEY`)
		case command == "ATTACH":
			say("OK\n")
		case command == "STATUS" && strings.Contains(string(text), "wrong-password"):
			say("wpa_state=SCANNING\n")
		case command == "STATUS":
			say("ssid=a\nkey_mgmt=SAE\nwpa_state=COMPLETED\n")
		case command == "SIGNAL_POLL":
			say("RSSI=-40\n")
		case strings.HasPrefix(command, "DIE"):
			return
		}
	}
}

// stationWorld is a folder for stations, and a way to wait for what they say.
type stationWorld struct {
	t     *testing.T
	files stationFiles
	woken chan struct{}
}

func newStationWorld(t *testing.T) *stationWorld {
	t.Setenv(asWPASupplicant, "1")
	dir, err := os.MkdirTemp("", "wifi") // t.TempDir's are too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &stationWorld{t, stationFiles{dir, "wlan0"}, make(chan struct{}, 1)}
}

func (w *stationWorld) start(password string) *station {
	program, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testWriter{w.t}, nil))
	return newStation(context.Background(), w.files, program, w.config(password), log, func() { offer(w.woken, struct{}{}) })
}

func (w *stationWorld) config(password string) string {
	return wpaConfig(types.WiFi{SSID: "a", Password: password, Security: types.WiFiAuto}, w.files.control())
}

func (w *stationWorld) until(s *station, what string, is func(WiFi) bool) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for !is(s.snapshot()) {
		select {
		case <-w.woken:
		case <-deadline:
			w.t.Fatalf("not reached: %s; the state is %+v", what, s.snapshot())
		}
	}
}

func (w *stationWorld) pid() string {
	b, _ := os.ReadFile(w.files.pid())
	return string(b)
}

func connected(w WiFi) bool { return w.Connected }

func TestStation(t *testing.T) {
	w := newStationWorld(t)
	s := w.start("good-password")
	w.until(s, "connected", connected)
	if got := s.snapshot(); got.SSID != "a" || got.Signal != -40 || got.Security != "SAE" || got.Problem != "" {
		t.Errorf("state is %+v", got)
	}
	if i, err := os.Stat(w.files.config()); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("config: %v, %v", i, err)
	}

	// The next machined takes over the wpa_supplicant that runs.
	first := w.pid()
	s.leave()
	s = w.start("good-password")
	w.until(s, "connected again", connected)
	if w.pid() != first || first == "" {
		t.Errorf("it was started again: %s, before %s", w.pid(), first)
	}

	// It dies.
	control, err := net.Dial("unixgram", w.files.server())
	if err != nil {
		t.Fatal(err)
	}
	control.Write([]byte("DIE"))
	control.Close()
	s.leave()
	s = w.start("good-password")
	w.until(s, "connected with a new one", func(x WiFi) bool { return x.Connected && w.pid() != first })

	// Another config while it runs.
	s.configure(w.config("wrong-password"))
	w.until(s, "wrong password", func(x WiFi) bool { return x.WrongKey && !x.Connected })
	s.configure(w.config("good-password"))
	w.until(s, "connected", connected)

	last := w.pid()
	s.stop()
	if _, err := os.Stat("/proc/" + last + "/exe"); err == nil {
		t.Errorf("process %s was left", last)
	}
	if left, _ := filepath.Glob(filepath.Join(w.files.dir, "*.*")); len(left) > 0 {
		t.Errorf("files were left: %v", left)
	}
}

func TestStationThatCannotStart(t *testing.T) {
	w := newStationWorld(t)
	s := w.start("fail-at-start")
	defer s.stop()
	w.until(s, "why", func(x WiFi) bool {
		return x.Problem == "wpa_supplicant ended: Failed to read or parse configuration"
	})
}

// TestOthersEnd: a wpa_supplicant that an earlier machined wanted ends.
func TestOthersEnd(t *testing.T) {
	w := newStationWorld(t)
	s := w.start("good-password")
	w.until(s, "connected", connected)
	s.leave()
	pid := w.pid()
	endOthers(w.files.dir, s.program, map[string]*port{"wlan0": {station: s}})
	if w.pid() != pid {
		t.Fatal("one that is wanted has ended")
	}
	endOthers(w.files.dir, s.program, map[string]*port{"wlan0": {}})
	if _, err := os.Stat("/proc/" + pid + "/exe"); err == nil || w.pid() != "" {
		t.Errorf("process %s was left: %v", pid, err)
	}
}

package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeQEMU answers each command with what answer returns: zero or more lines of the protocol.
func fakeQEMU(t *testing.T, answer func(command string, arguments json.RawMessage) []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "q")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		say := func(line string) { conn.Write([]byte(line + "\r\n")) }
		say(`{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}`)
		in := bufio.NewScanner(conn)
		for in.Scan() {
			var c struct {
				Execute   string
				Arguments json.RawMessage
			}
			if json.Unmarshal(in.Bytes(), &c) != nil {
				return
			}
			lines := []string{`{"return": {}}`}
			if c.Execute != "qmp_capabilities" {
				lines = answer(c.Execute, c.Arguments)
			}
			if lines == nil {
				return
			}
			for _, line := range lines {
				say(line)
			}
		}
	}()
	return path
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestExecute(t *testing.T) {
	path := fakeQEMU(t, func(command string, arguments json.RawMessage) []string {
		switch command {
		case "query-status":
			return []string{`{"event": "RTC_CHANGE", "data": {"offset": 1}}`, `{"return": {"running": true}}`}
		case "send-key":
			if want := `{"keys":[{"type":"qcode","data":"ctrl"},{"type":"qcode","data":"delete"}],"hold-time":100}`; string(arguments) != want {
				return []string{`{"error": {"class": "GenericError", "desc": "got ` + strings.ReplaceAll(string(arguments), `"`, `'`) + `"}}`}
			}
			return []string{`{"return": {}}`}
		}
		return []string{`{"error": {"class": "CommandNotFound", "desc": "no ` + command + `"}}`}
	})
	events := make(chan Event, 1)
	ctx := within(t, 5*time.Second)
	c, err := Dial(ctx, path, func(e Event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	var status struct{ Running bool }
	if err := c.Execute(ctx, "query-status", nil, &status); err != nil || !status.Running {
		t.Errorf("query-status: %+v, %v", status, err)
	}
	if e := <-events; e.Name != "RTC_CHANGE" || !strings.Contains(string(e.Data), "offset") {
		t.Errorf("event %+v", e)
	}
	if err := c.SendKeys(ctx, "ctrl", "delete"); err != nil {
		t.Error(err)
	}
	if err := c.Execute(ctx, "fly", nil, nil); err == nil || !strings.Contains(err.Error(), "CommandNotFound: no fly") {
		t.Errorf("unknown command: %v", err)
	}
}

func TestExecuteWhenQEMUEnds(t *testing.T) {
	path := fakeQEMU(t, func(string, json.RawMessage) []string { return nil })
	ctx := within(t, 5*time.Second)
	c, err := Dial(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PowerButton(ctx); err == nil || !strings.Contains(err.Error(), "connection ended") {
		t.Errorf("got %v", err)
	}
	select {
	case <-c.Closed():
	case <-ctx.Done():
		t.Error("Closed does not tell")
	}
}

func TestExecuteWithoutAnswer(t *testing.T) {
	path := fakeQEMU(t, func(string, json.RawMessage) []string { return []string{} })
	c, err := Dial(within(t, 5*time.Second), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PowerButton(within(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestDialLongPath(t *testing.T) {
	path := fakeQEMU(t, func(string, json.RawMessage) []string { return []string{`{"return": {}}`} })
	long := filepath.Dir(path) + strings.Repeat("/.", 100) + "/" + filepath.Base(path)
	c, err := Dial(within(t, 5*time.Second), long, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestDialNobody(t *testing.T) {
	if _, err := Dial(within(t, 5*time.Second), filepath.Join(t.TempDir(), "q"), nil); err == nil {
		t.Error("no error without a socket")
	}
}

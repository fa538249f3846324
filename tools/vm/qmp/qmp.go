// Package qmp speaks QEMU's machine protocol: commands to a running machine, and its events.
//
// https://www.qemu.org/docs/master/interop/qmp-spec.html
package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Event is something that happened to the machine, such as SHUTDOWN.
type Event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// Client is a connection to one machine. Its methods may be used from several goroutines.
type Client struct {
	conn    net.Conn
	onEvent func(Event)
	calls   sync.Mutex    // one command at a time: QMP answers in order
	replies chan reply    // from the reader to the caller
	closed  chan struct{} // the reader ended
	readErr error         // why; set before closed is closed
}

type reply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// message is anything that QEMU sends.
type message struct {
	QMP json.RawMessage `json:"QMP"`
	Event
	reply
}

// Dial connects to the socket at path and negotiates. onEvent is called for every event, from one goroutine; nil ignores
// them. A socket address is limited to 107 bytes, so the path is reached through a descriptor of its folder.
func Dial(ctx context.Context, path string, onEvent func(Event)) (*Client, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("connect to QEMU: %w", err)
	}
	defer dir.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	if err != nil {
		return nil, fmt.Errorf("connect to QEMU at %s: %w", path, err)
	}
	if onEvent == nil {
		onEvent = func(Event) {}
	}
	c := &Client{conn: conn, onEvent: onEvent, replies: make(chan reply, 1), closed: make(chan struct{})}
	go c.read()
	if err := c.Execute(ctx, "qmp_capabilities", nil, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// read hands on replies and events until the connection ends. The greeting needs no answer of its own: QEMU sends it
// unasked and takes the first command after it.
func (c *Client) read() {
	in := json.NewDecoder(bufio.NewReader(c.conn))
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			c.readErr = err
			close(c.closed)
			return
		}
		switch {
		case m.Name != "":
			c.onEvent(m.Event)
		case m.QMP == nil:
			c.replies <- m.reply
		}
	}
}

// Execute runs a command and stores what it returns in result, unless that is nil.
func (c *Client) Execute(ctx context.Context, command string, arguments, result any) error {
	c.calls.Lock()
	defer c.calls.Unlock()
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return fmt.Errorf("QEMU command %s: %w", command, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.conn.SetWriteDeadline(deadline); err != nil {
			return fmt.Errorf("QEMU command %s: %w", command, err)
		}
	}
	if _, err := c.conn.Write(append(request, '\n')); err != nil {
		return fmt.Errorf("QEMU command %s: %w", command, err)
	}
	select {
	case r := <-c.replies:
		if r.Error != nil {
			return fmt.Errorf("QEMU command %s: %s: %s", command, r.Error.Class, r.Error.Desc)
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(r.Return, result); err != nil {
			return fmt.Errorf("QEMU command %s: parse its answer: %w", command, err)
		}
		return nil
	case <-c.closed:
		return fmt.Errorf("QEMU command %s: the connection ended: %w", command, c.readErr)
	case <-ctx.Done():
		// The answer may still come and would be taken for the next command's.
		return errors.Join(fmt.Errorf("QEMU command %s: %w", command, context.Cause(ctx)), c.conn.Close())
	}
}

// Closed is closed when the connection has ended, as it does with QEMU.
func (c *Client) Closed() <-chan struct{} { return c.closed }

// Close ends the connection; the machine runs on.
func (c *Client) Close() error { return c.conn.Close() }

// PowerButton presses the machine's power button.
func (c *Client) PowerButton(ctx context.Context) error {
	return c.Execute(ctx, "system_powerdown", nil, nil)
}

// SendKeys presses keys together, named as QEMU's QKeyCode: ctrl, alt, delete, f2, …
func (c *Client) SendKeys(ctx context.Context, keys ...string) error {
	type key struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	args := struct {
		Keys []key `json:"keys"`
		Hold int64 `json:"hold-time"` // milliseconds
	}{Hold: (100 * time.Millisecond).Milliseconds()}
	for _, k := range keys {
		args.Keys = append(args.Keys, key{"qcode", k})
	}
	return c.Execute(ctx, "send-key", args, nil)
}

// Screenshot writes the graphical console to file as PNG. QEMU resolves the path, so it must be absolute.
func (c *Client) Screenshot(ctx context.Context, file string) error {
	return c.Execute(ctx, "screendump", map[string]string{"filename": file, "format": "png"}, nil)
}

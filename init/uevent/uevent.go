// Package uevent receives the kernel's messages about devices that come and go.
package uevent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Event is what is of use in a message. Fields that a message does not have are empty.
type Event struct {
	Action    string // add, remove, change, bind, …
	Subsystem string // such as block
	Name      string // the device node, below /dev, such as input/event0
	Modalias  string // what to load a module for
}

// ErrLost is returned by Receive when messages were lost, because they came faster than they were
// read: look at /sys again.
var ErrLost = errors.New("messages about devices were lost")

// Parse reads a message: "ACTION@PATH" and then KEY=VALUE, each ending in a zero byte.
func Parse(message []byte) (Event, error) {
	var e Event
	head, rest, ok := bytes.Cut(message, []byte{0})
	action, path, at := bytes.Cut(head, []byte{'@'})
	if !ok || !at || len(action) == 0 || len(path) == 0 || path[0] != '/' {
		return e, fmt.Errorf("message about a device begins with %.60q, want ACTION@PATH", head)
	}
	e.Action = string(action)
	for pair := range bytes.SplitSeq(rest, []byte{0}) {
		key, value, _ := bytes.Cut(pair, []byte{'='})
		switch string(key) {
		case "SUBSYSTEM":
			e.Subsystem = string(value)
		case "DEVNAME":
			e.Name = string(value)
		case "MODALIAS":
			e.Modalias = string(value)
		}
	}
	return e, nil
}

// Conn receives messages from the moment it is made: make it before looking at /sys, so that nothing
// is missed in between.
type Conn struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte
}

const (
	kernelGroup   = 1       // The kernel's own multicast group; 2 is udev's.
	receiveBuffer = 1 << 20 // Bytes. A hub with many devices sends hundreds of messages at once.
	messageSize   = 8 << 10 // Bytes. The kernel's limit is UEVENT_BUFFER_SIZE, 2 KiB, and the path.
)

// Listen starts to receive.
func Listen() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("open a socket for messages about devices: %w", err)
	}
	// Best effort: with the default size messages are lost earlier, which Receive reports.
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen for messages about devices: %w", err)
	}
	file := os.NewFile(uintptr(fd), "uevents")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Conn{file: file, raw: raw, buf: make([]byte, messageSize)}, nil
}

// Receive waits for a message until the deadline; the zero time is no deadline. After the deadline
// the error is [os.ErrDeadlineExceeded]. [ErrLost] is no reason to stop either.
func (c *Conn) Receive(deadline time.Time) (Event, error) {
	if err := c.file.SetReadDeadline(deadline); err != nil {
		return Event{}, err
	}
	for {
		var n int
		var from unix.Sockaddr
		var failed error
		err := c.raw.Read(func(fd uintptr) bool {
			for {
				n, from, failed = unix.Recvfrom(int(fd), c.buf, 0)
				if failed != unix.EINTR {
					return failed != unix.EAGAIN
				}
			}
		})
		switch {
		case err != nil:
			return Event{}, err
		case failed == unix.ENOBUFS:
			return Event{}, ErrLost
		case failed != nil:
			return Event{}, fmt.Errorf("receive a message about devices: %w", failed)
		}
		// A privileged process could send here too. Only the kernel, which is 0, is believed.
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
			continue
		}
		if e, err := Parse(c.buf[:n]); err == nil {
			return e, nil
		}
	}
}

// Close stops receiving; a Receive that waits returns [os.ErrClosed].
func (c *Conn) Close() error { return c.file.Close() }

package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// controlSocket speaks with a wpa_supplicant (its wpa_ctrl.h): a datagram is a command or its answer, or a message that nobody
// asked for.
type controlSocket struct {
	conn    *net.UnixConn
	path    string // our end
	answers chan string
	events  chan event
	gone    chan struct{} // closed when nothing can be read any more
}

// answerTime is how long an answer may take: it comes at once from a wpa_supplicant that works.
const answerTime = 2 * time.Second

// dialControl opens the socket at server, with our end at path.
func dialControl(server, path string) (*controlSocket, error) {
	os.Remove(path) // of an earlier machined
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}, &net.UnixAddr{Name: server, Net: "unixgram"})
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	c := &controlSocket{conn: conn, path: path, answers: make(chan string, 8), events: make(chan event, 64), gone: make(chan struct{})}
	go c.read()
	return c, nil
}

func (c *controlSocket) close() {
	c.conn.Close()
	<-c.gone
	os.Remove(c.path)
}

// read sorts what comes. What nobody takes is lost: the next look at the status makes up for it.
func (c *controlSocket) read() {
	defer close(c.gone)
	b := make([]byte, 8<<10)
	for {
		n, err := c.conn.Read(b)
		if err != nil {
			return
		}
		if e, ok := readEvent(string(b[:n])); ok {
			offer(c.events, e)
			continue
		}
		offer(c.answers, string(b[:n]))
	}
}

func offer[T any](c chan<- T, x T) {
	select {
	case c <- x:
	default:
	}
}

var errNoAnswer = errors.New("wpa_supplicant does not answer")

// ask sends a command and returns the answer.
func (c *controlSocket) ask(command string) (string, error) {
	for len(c.answers) > 0 { // late ones
		<-c.answers
	}
	c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	if _, err := c.conn.Write([]byte(command)); err != nil {
		return "", fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case answer := <-c.answers:
		return answer, nil
	case <-c.gone:
	case <-timer.C:
	}
	return "", errNoAnswer
}

// expect sends a command whose answer has to be that.
func (c *controlSocket) expect(command, want string) error {
	answer, err := c.ask(command)
	if err == nil && strings.TrimSpace(answer) != want {
		err = fmt.Errorf("wpa_supplicant answers %q to %s", hostText(answer), command)
	}
	return err
}

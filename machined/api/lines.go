package api

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// Connect's streams are messages, each after a flag byte and a length of 4 bytes
// (connectrpc.com/docs/protocol#streaming-rpcs).
const (
	envelope    = 5
	flagEnd     = 2 // the message is the end of the stream, with the error if there was one
	maxLineSize = 4 << 20
)

// linesForStreams lets curl have a method that answers with a stream as if it were a plain one: a request in JSON is
// answered with JSON, a line for each message, and, when it fails midway, a last line {"error":{…}}.
func linesForStreams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := byProcedure[r.URL.Path]
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		if m == nil || !m.stream || strings.TrimSpace(kind) != "application/json" {
			next.ServeHTTP(w, r)
			return
		}
		r.Header.Set("Content-Type", "application/connect+json")
		for _, name := range []string{"Content-Encoding", "Connect-Content-Encoding", "Connect-Accept-Encoding"} {
			r.Header.Del(name)
		}
		r.Body = &enveloped{from: r.Body}
		r.ContentLength = -1
		lines := &lineWriter{w: w, header: http.Header{}}
		next.ServeHTTP(lines, r)
		lines.flushHeader(http.StatusOK)
	})
}

// enveloped is a body as one message. It is read when it is asked for, which is after the gate.
type enveloped struct {
	from io.ReadCloser
	text *bytes.Reader
}

func (e *enveloped) Read(p []byte) (int, error) {
	if e.text == nil {
		body, err := io.ReadAll(e.from)
		if err != nil {
			return 0, err
		}
		head := make([]byte, envelope, envelope+len(body))
		binary.BigEndian.PutUint32(head[1:], uint32(len(body)))
		e.text = bytes.NewReader(append(head, body...))
	}
	return e.text.Read(p)
}

func (e *enveloped) Close() error { return e.from.Close() }

// lineWriter writes the messages of a stream as lines.
type lineWriter struct {
	w       http.ResponseWriter
	header  http.Header // of the stream
	began   bool        // the answer's own header was written
	pending []byte      // the start of a message
}

func (l *lineWriter) Header() http.Header { return l.header }

// WriteHeader is called for a stream with 200, whatever becomes of it, and otherwise for what is no stream.
func (l *lineWriter) WriteHeader(status int) {
	if status != http.StatusOK {
		l.flushHeader(status)
	}
}

func (l *lineWriter) flushHeader(status int) {
	if l.began {
		return
	}
	l.began = true
	l.w.Header().Set("Content-Type", "application/jsonl")
	l.w.WriteHeader(status)
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.pending = append(l.pending, p...)
	for len(l.pending) >= envelope {
		length := binary.BigEndian.Uint32(l.pending[1:envelope])
		if length > maxLineSize {
			return 0, errors.New("a message is too large")
		}
		size := int(length)
		if len(l.pending) < envelope+size {
			break
		}
		if err := l.message(l.pending[0], l.pending[envelope:envelope+size]); err != nil {
			return 0, err
		}
		l.pending = append(l.pending[:0], l.pending[envelope+size:]...)
	}
	return len(p), nil
}

func (l *lineWriter) message(flags byte, text []byte) error {
	if flags&flagEnd != 0 {
		return l.end(text)
	}
	l.flushHeader(http.StatusOK)
	_, err := l.w.Write(append(text[:len(text):len(text)], '\n'))
	return err
}

// end writes a stream's error: as that of the whole answer when nothing was written before.
func (l *lineWriter) end(text []byte) error {
	var end struct{ Error json.RawMessage }
	var failed struct{ Code connect.Code }
	if err := json.Unmarshal(text, &end); err != nil || end.Error == nil {
		return err
	}
	if err := json.Unmarshal(end.Error, &failed); err != nil {
		return err
	}
	if l.began {
		_, err := l.w.Write([]byte(`{"error":` + string(end.Error) + "}\n"))
		return err
	}
	l.began = true
	l.w.Header().Set("Content-Type", "application/json")
	l.w.WriteHeader(httpStatus[failed.Code])
	_, err := l.w.Write(end.Error)
	return err
}

// Flush sends what was written at once.
func (l *lineWriter) Flush() {
	if f, ok := l.w.(http.Flusher); ok && l.began {
		f.Flush()
	}
}

// Unwrap is for [http.ResponseController].
func (l *lineWriter) Unwrap() http.ResponseWriter { return l.w }

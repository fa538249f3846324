// Package logs is where machined's lines go, and where the lines of the kernel's log are read from.
package logs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/coracle-os/coracle/init/kmsg"
)

// Component is the name before machined's lines.
const Component = "machined"

// Handler writes records to the kernel's log: errors and above as errors, warnings as notices, which a person at the
// console sees, the rest as information, which is in dmesg only. Attributes are written as in a sentence:
// "message: name value, name value".
type Handler struct{ attributes string }

// New returns a logger with a Handler.
func New() *slog.Logger { return slog.New(Handler{}) }

// Enabled is for all but debugging.
func (h Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle writes one record.
func (h Handler) Handle(_ context.Context, r slog.Record) error {
	write := kmsg.Info
	switch {
	case r.Level >= slog.LevelError:
		write = kmsg.Error
	case r.Level >= slog.LevelWarn:
		write = kmsg.Notice
	}
	write(Component, "%s", h.line(r))
	return nil
}

func (h Handler) line(r slog.Record) string {
	attributes := h.attributes
	r.Attrs(func(a slog.Attr) bool {
		attributes += text(a)
		return true
	})
	if attributes == "" {
		return r.Message
	}
	return r.Message + ":" + strings.TrimPrefix(attributes, ",")
}

// text is ", name value"; an error speaks for itself.
func text(a slog.Attr) string {
	if a.Key == "error" || a.Key == "err" {
		return fmt.Sprintf(", %v", a.Value)
	}
	return fmt.Sprintf(", %s %v", a.Key, a.Value)
}

// WithAttrs returns a Handler that adds attributes.
func (h Handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	for _, a := range attributes {
		h.attributes += text(a)
	}
	return h
}

// WithGroup returns h: there is nothing to tell apart in one line.
func (h Handler) WithGroup(string) slog.Handler { return h }

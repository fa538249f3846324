package logs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// record is a line of the kernel's log.
type record struct {
	user bool          // written by a program, not by the kernel
	time time.Duration // since the kernel started
	text string
}

// parseRecord reads what one read of /dev/kmsg gives: "priority,sequence,microseconds,flags;text\n" and lines with
// details, which start with a space (Documentation/ABI/testing/dev-kmsg).
func parseRecord(s string) (r record, ok bool) {
	head, text, found := strings.Cut(s, ";")
	fields := strings.Split(head, ",")
	if !found || len(fields) < 3 {
		return r, false
	}
	priority, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return r, false
	}
	microseconds, err := strconv.ParseInt(fields[2], 10, 62)
	if err != nil {
		return r, false
	}
	text, _, _ = strings.Cut(text, "\n")
	return record{user: priority>>3 != 0, time: time.Duration(microseconds) * time.Microsecond, text: unescape(text)}, true
}

// unescape undoes the kernel's \xHH for bytes that are not printable ASCII.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) && s[i+1] == 'x' {
			if c, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// String is the record as dmesg shows it.
func (r record) String() string {
	return fmt.Sprintf("[%5d.%06d] %s\n", r.time/time.Second, r.time%time.Second/time.Microsecond, r.text)
}

// ours is whether Coracle's own programs wrote it.
func (r record) ours() bool {
	return r.user && (strings.HasPrefix(r.text, Component+": ") || strings.HasPrefix(r.text, "init: "))
}

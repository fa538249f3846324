package podlog

import (
	"bytes"
	"time"
)

// Line is a line of a container's log.
type Line struct {
	Time   time.Time
	Stream string // stdout or stderr
	Whole  bool   // it ends here; otherwise the container wrote more than containerd's buffer takes
	Text   []byte // without its newline
}

// Parse reads a line as containerd writes it: "2016-10-06T00:17:09.669794202Z stdout F text", where P instead of F is a part
// of a line (kubernetes/design-proposals-archive, node/kubelet-cri-logging.md). ok is false for what is none.
func Parse(b []byte) (l Line, ok bool) {
	stamp, rest, found1 := bytes.Cut(b, []byte(" "))
	stream, rest, found2 := bytes.Cut(rest, []byte(" "))
	tags, text, _ := bytes.Cut(rest, []byte(" ")) // an empty text may come without the space
	if !found1 || !found2 {
		return l, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || string(stream) != "stdout" && string(stream) != "stderr" {
		return l, false
	}
	tag, _, _ := bytes.Cut(tags, []byte(":")) // further tags may follow
	if string(tag) != "F" && string(tag) != "P" {
		return l, false
	}
	return Line{Time: t, Stream: string(stream), Whole: string(tag) == "F", Text: bytes.TrimSuffix(text, []byte("\n"))}, true
}

// Package inspect looks at the machine through /proc, /sys and netlink: processes, memory, mounts, disks, network,
// sockets and sensors. Nothing in it waits for a device or for another machine, and what it returns is valid UTF-8 of
// bounded size, whatever programs call themselves.
package inspect

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// System is where the machine is looked at.
type System struct {
	Proc, Sys fs.FS // /proc and /sys
	Etc       fs.FS // /etc
}

// Host is the machine that this program runs on.
func Host() System {
	return System{Proc: os.DirFS("/proc"), Sys: os.DirFS("/sys"), Etc: os.DirFS("/etc")}
}

// maxFile bounds what is read of one file of /proc or /sys, in bytes. The largest is a table of sockets.
const maxFile = 4 << 20

// read returns a file's text.
func read(fsys fs.FS, name string) (string, error) { return readAtMost(fsys, name, maxFile) }

func readAtMost(fsys fs.FS, name string, n int64) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, n))
	return string(b), err
}

// line is a small file's content without the space around it; empty when it is not there.
func line(fsys fs.FS, name string) string {
	s, err := readAtMost(fsys, name, 4096)
	if err != nil {
		return ""
	}
	return valid(strings.TrimSpace(s))
}

// number is a small file's content as a number; 0 when it is none.
func number(fsys fs.FS, name string) uint64 {
	n, _ := strconv.ParseUint(line(fsys, name), 10, 64)
	return n
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

// valid is s as protobuf and JSON can carry it, without control characters that would confuse a terminal.
func valid(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// gone is whether a process or device went away while it was looked at, which is no error.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// pairs reads lines of "name value", such as those of memory.stat.
func pairs(text string) map[string]uint64 {
	m := map[string]uint64{}
	for l := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(l), " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			m[name] = n
		}
	}
	return m
}

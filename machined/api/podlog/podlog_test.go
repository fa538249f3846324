package podlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want Line
		ok   bool
	}{
		"whole":      {"2016-10-06T00:17:09.5Z stdout F some text\n", Line{time.Date(2016, 10, 6, 0, 17, 9, 5e8, time.UTC), "stdout", true, []byte("some text")}, true},
		"part":       {"2016-10-06T00:17:09Z stderr P x", Line{time.Date(2016, 10, 6, 0, 17, 9, 0, time.UTC), "stderr", false, []byte("x")}, true},
		"more tags":  {"2016-10-06T00:17:09Z stderr F:a:b x", Line{time.Date(2016, 10, 6, 0, 17, 9, 0, time.UTC), "stderr", true, []byte("x")}, true},
		"empty":      {"2016-10-06T00:17:09Z stdout F \n", Line{time.Date(2016, 10, 6, 0, 17, 9, 0, time.UTC), "stdout", true, []byte{}}, true},
		"no time":    {"x stdout F x", Line{}, false},
		"no stream":  {"2016-10-06T00:17:09Z std F x", Line{}, false},
		"no tag":     {"2016-10-06T00:17:09Z stdout x", Line{}, false},
		"empty line": {"", Line{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := Parse([]byte(tc.in))
			if ok != tc.ok || !l.Time.Equal(tc.want.Time) || l.Stream != tc.want.Stream || l.Whole != tc.want.Whole || !bytes.Equal(l.Text, tc.want.Text) {
				t.Errorf("%+v, %v", l, ok)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("2016-10-06T00:17:09.669794202Z stdout F text\n"))
	f.Add([]byte("2016-10-06T00:17:09Z stderr P:x \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, ok := Parse(b); ok && (l.Time.IsZero() && !bytes.HasPrefix(b, []byte("0001-01-01")) || !bytes.Contains(b, l.Text)) {
			t.Errorf("%+v of %q", l, b)
		}
	})
}

func TestParseContainer(t *testing.T) {
	for in, want := range map[string]Container{"a/b": {"a", "b", ""}, "kube-system/coredns-1.x/c": {"kube-system", "coredns-1.x", "c"}} {
		if got, err := ParseContainer(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "a", "a/b/c/d", "../b", "a/..", "a/b/.", "a_b/c", "a/b/", "A/b", "a/b\x00"} {
		if got, err := ParseContainer(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

// write adds to a file below dir, and makes it.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, r *Reader) string {
	t.Helper()
	var b strings.Builder
	if err := r.Next(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFollowAcrossRotationAndRestart(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a_b_uid/c/0.log", "one\n")
	r, err := Folder(dir).Open(Container{"a", "b", "c"}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pod := filepath.Join(dir, "a_b_uid")
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"what is there", func() {}, "one\n"},
		{"nothing new", func() {}, ""},
		{"more", func() { write(t, pod, "c/0.log", "two\n") }, "two\n"},
		{"the middle of a rotation", func() {
			write(t, pod, "c/0.log", "three\n")
			os.Rename(filepath.Join(pod, "c/0.log"), filepath.Join(pod, "c/0.log.20260101-000000"))
		}, "three\n"},
		{"after it", func() {
			write(t, pod, "c/0.log.20260101-000000", "four\n")
			write(t, pod, "c/0.log", "five\n")
		}, "four\nfive\n"},
		{"a restart", func() { write(t, pod, "c/0.log", "six\n"); write(t, pod, "c/1.log", "seven\n") }, "six\nseven\n"},
	} {
		if step.do(); next(t, r) != step.want {
			t.Fatalf("%s: not %q", step.name, step.want)
		}
	}
	os.RemoveAll(pod)
	if err := r.Next(io.Discard); !errors.Is(err, io.EOF) {
		t.Errorf("the pod is gone: %v", err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a_one_uid/c/0.log", "first\n")
	write(t, dir, "a_one_uid/c/1.log", "second\n")
	write(t, dir, "a_two_uid/c/0.log", "")
	write(t, dir, "a_two_uid/d/0.log", "")
	write(t, dir, "a_none_uid/c/readme", "")
	write(t, dir, "secret", "secret")
	evil := filepath.Join(dir, "a_evil_uid", "c")
	os.MkdirAll(evil, 0o755)
	os.Symlink("/etc/passwd", filepath.Join(evil, "0.log"))
	for name, tc := range map[string]struct {
		container string
		previous  bool
		want      string // what it says, or the error
	}{
		"one container":        {"a/one", false, "second\n"},
		"previous":             {"a/one/c", true, "first\n"},
		"no previous":          {"a/two/c", true, "not on this machine"},
		"several":              {"a/two", false, "has the containers c, d; name one"},
		"no such container":    {"a/two/e", false, "which has c, d"},
		"no such pod":          {"a/three", false, "not on this machine"},
		"no log yet":           {"a/none", false, "not on this machine"},
		"a link to elsewhere":  {"a/evil/c", false, "not on this machine"},
		"another of its start": {"a/on", false, "not on this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseContainer(tc.container)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Folder(dir).Open(c, tc.previous)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				defer r.Close()
				got = next(t, r)
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	if _, err := Folder(filepath.Join(dir, "none")).Open(Container{"a", "b", ""}, false); !errors.Is(err, ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
}

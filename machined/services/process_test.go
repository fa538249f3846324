package services

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program runs a shell script as kube.
func program(t *testing.T, script string) Program {
	t.Helper()
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	return Program{Path: shell, Args: []string{"-c", script}, PIDFile: filepath.Join(dir, "pid"), OOM: 100, Log: Log{filepath.Join(dir, "log")}}
}

func waitDone(t *testing.T, p *Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(10 * time.Second):
		p.Signal(syscall.SIGKILL)
		t.Fatal("the process did not end")
	}
}

func TestProcessReason(t *testing.T) {
	prog := program(t, "echo earlier >&2; echo why it failed >&2; exit 1")
	os.WriteFile(prog.Log.Path, []byte("of the run before\n"), 0o600)
	p, err := prog.Start()
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, p)
	if got := p.Reason(); got != "exit code 1: why it failed" {
		t.Error(got)
	}
	if _, err := os.Stat(prog.PIDFile); err == nil {
		t.Error("the PID file is still there")
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a process that is gone: %v", err)
	}
}

func TestStartAhead(t *testing.T) {
	prog := program(t, "cat; echo goes on; exit 1")
	p, goAhead, err := prog.StartAhead()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Signal(syscall.SIGKILL)
	select {
	case <-p.Done():
		t.Fatal("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	goAhead()
	waitDone(t, p)
	if got := p.Reason(); got != "exit code 1: goes on" {
		t.Error(got)
	}
}

func TestAdopt(t *testing.T) {
	prog := program(t, "while :; do sleep 0.05; done; echo not reached")
	if p, _ := prog.Adopt(); p != nil {
		t.Fatalf("adopted %d, and nothing runs", p.PID())
	}
	child, err := prog.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Signal(syscall.SIGKILL)
	adopted, err := prog.Adopt()
	if err != nil || adopted == nil || adopted.PID() != child.PID() {
		t.Fatalf("adopted %v, %v, want %d", adopted, err, child.PID())
	}
	if score, _ := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(must(os.ReadFile(prog.PIDFile)))), "oom_score_adj")); strings.TrimSpace(string(score)) != "100" {
		t.Errorf("oom_score_adj %q", score)
	}
	if err := adopted.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitDone(t, adopted)
	waitDone(t, child)
	if got := child.Reason(); got != "killed by signal 9 (killed)" {
		t.Error(got)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestAdoptWithoutPIDFile: a process that cannot be written down is adopted all the same, or a second kube is started.
func TestAdoptWithoutPIDFile(t *testing.T) {
	prog := program(t, "while :; do sleep 0.05; done; echo not reached")
	child, err := prog.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Signal(syscall.SIGKILL)
	later := prog
	later.Cgroup = t.TempDir() // where it is found
	os.WriteFile(filepath.Join(later.Cgroup, "cgroup.procs"), []byte(strconv.Itoa(child.PID())), 0o644)
	later.PIDFile = filepath.Join(prog.Log.Path, "pid") // the log is no folder
	adopted, err := later.Adopt()
	if adopted == nil || adopted.PID() != child.PID() || err == nil {
		t.Fatalf("adopted %v, %v", adopted, err)
	}
	os.WriteFile(prog.PIDFile, []byte("1\n"), 0o644) // another's
	child.Signal(syscall.SIGKILL)
	waitDone(t, adopted)
	waitDone(t, child)
	if _, err := os.Stat(prog.PIDFile); err != nil {
		t.Errorf("the PID file of another process is gone: %v", err)
	}
}

func TestAdoptIsNotFooled(t *testing.T) {
	prog := program(t, "exit 0")
	os.WriteFile(prog.PIDFile, []byte(strconv.Itoa(os.Getpid())), 0o644) // the number was given to another process
	if p, _ := prog.Adopt(); p != nil {
		t.Errorf("adopted %d", p.PID())
	}
}

func TestLogKeepsTheEnd(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "log")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	l := Log{filepath.Join(dir, "log")}
	f, err := l.OpenForWriting()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := bytes.Repeat([]byte("x"), 1023)
	for i := range 4096 {
		copy(line, strconv.Itoa(i)+" ")
		if _, err := f.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			if err := l.Trim(); err != nil {
				t.Skip(err) // a file system without holes
			}
		}
	}
	var stat syscall.Stat_t
	if err := syscall.Stat(l.Path, &stat); err != nil {
		t.Fatal(err)
	}
	if used := stat.Blocks * 512; used > logKeep+logSlack+1<<20/8 {
		t.Errorf("%d bytes are used, want about %d", used, logKeep)
	}
	var out bytes.Buffer
	if err := l.Copy(context.Background(), &out, 0, false); err != nil {
		t.Fatal(err)
	}
	if out.Len() != logKeep || !strings.HasPrefix(out.String(), "3072 ") || !strings.Contains(out.String(), "\n4095 ") {
		t.Errorf("%d bytes, from %.20q", out.Len(), out.String())
	}
	if tail := l.Tail(0, 1024); !strings.HasPrefix(string(tail), "4095 ") {
		t.Errorf("tail %.20q", tail)
	}
}

func TestLogFollow(t *testing.T) {
	l := Log{filepath.Join(t.TempDir(), "kube", "log")} // neither is there yet
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan string, 10)
	ended := make(chan error)
	go func() { ended <- l.Copy(ctx, lineWriter(lines), 0, true) }()
	for _, line := range []string{"one\n", "two\n"} {
		f, err := l.OpenForWriting()
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(line)
		f.Close()
		select {
		case got := <-lines:
			if got != line {
				t.Errorf("%q, want %q", got, line)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) { w <- string(p); return len(p), nil }

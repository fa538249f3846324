package services

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Program says how kube is run.
type Program struct {
	Path    string
	Args    []string // without the program's name
	Env     []string
	PIDFile string
	Cgroup  string // folder of its cgroup; empty: machined's own
	OOM     int    // oom_score_adj
	Log     Log
}

// Process is a running kube, started by this machined or by the one before it.
type Process struct {
	pid    int
	pidfd  int
	done   chan struct{}
	mu     sync.Mutex          // guards pidfd's closing
	status *syscall.WaitStatus // nil: not our child; set before done is closed
	from   int64               // where its output starts in the log
	ooms   int                 // OOM kills in its cgroup before it started
	prog   Program
}

// Start runs the program.
func (p Program) Start() (*Process, error) { return p.start(nil) }

// StartAhead runs the program with a standard input that ends when goAhead is called, and when machined ends. Until then
// "kube run --wait" initializes itself and waits.
func (p Program) StartAhead() (proc *Process, goAhead func(), err error) {
	input, end, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	defer input.Close()
	proc, err = p.start(input)
	if err != nil {
		end.Close()
		return nil, nil, err
	}
	return proc, func() { end.Close() }, nil
}

// start runs the program in its cgroup from its first instruction on (clone3 with CLONE_INTO_CGROUP). No input is an empty one.
func (p Program) start(input *os.File) (*Process, error) {
	log, err := p.Log.OpenForWriting()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	defer log.Close()
	pidfd := -1
	attributes := &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd}
	if p.Cgroup != "" {
		dir, err := os.Open(p.Cgroup)
		if err != nil {
			return nil, fmt.Errorf("start %s: its cgroup: %w", p.Path, err)
		}
		defer dir.Close()
		attributes.UseCgroupFD, attributes.CgroupFD = true, int(dir.Fd())
	}
	proc := &Process{done: make(chan struct{}), from: p.Log.Size(), ooms: p.oomKills(), prog: p}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.Env, "/", log, log, attributes
	if input != nil {
		cmd.Stdin = input
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	proc.pid, proc.pidfd = cmd.Process.Pid, pidfd
	err = p.settle(proc.pid)
	if err != nil {
		cmd.Process.Kill()
	}
	go func() { // not before settle: the end removes the PID file
		cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
			proc.status = &status
		}
		proc.ended()
	}()
	if err != nil {
		<-proc.done
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	return proc, nil
}

// settle writes down the PID and sets what a child cannot inherit from machined.
func (p Program) settle(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(p.OOM)), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // that it is gone already is for its exit to tell
	}
	return p.writePID(pid)
}

func (p Program) writePID(pid int) error {
	return atomicfile.Write(p.PIDFile, []byte(strconv.Itoa(pid)+"\n"), 0o644)
}

// forgetPID removes the PID file, unless it is about another process.
func (p Program) forgetPID(pid int) {
	if text, err := os.ReadFile(p.PIDFile); err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(pid) {
		os.Remove(p.PIDFile)
	}
}

// Adopt finds the process that an earlier machined started. Nil: there is none. With the process, an error is that its
// PID could not be written down.
func (p Program) Adopt() (*Process, error) {
	for _, pid := range p.candidates() {
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// Looked at after the pidfd is there, so that it cannot be another process by then.
		if !p.isOurs(pid) {
			unix.Close(pidfd)
			continue
		}
		proc := &Process{pid: pid, pidfd: pidfd, done: make(chan struct{}), ooms: p.oomKills(), prog: p}
		go func() {
			for {
				_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
				if err != unix.EINTR {
					break
				}
			}
			proc.ended()
		}()
		return proc, p.writePID(pid)
	}
	return nil, nil
}

// candidates are the PID in the file, then those in the cgroup: machined may have died before it wrote the file.
func (p Program) candidates() []int {
	var pids []int
	text, _ := os.ReadFile(p.PIDFile)
	if p.Cgroup != "" {
		members, _ := os.ReadFile(filepath.Join(p.Cgroup, "cgroup.procs"))
		text = append(append(text, ' '), members...)
	}
	for field := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isOurs is whether a process runs the program with its arguments, so not a shim or kubectl.
func (p Program) isOurs(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || exe != p.Path {
		return false
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	_, args, _ = bytes.Cut(args, []byte{0})
	return err == nil && string(args) == strings.Join(p.Args, "\x00")+"\x00"
}

// oomKills counts the processes that the kernel killed in the cgroup for want of memory.
func (p Program) oomKills() int {
	text, _ := os.ReadFile(filepath.Join(p.Cgroup, "memory.events.local"))
	for line := range strings.Lines(string(text)) {
		if n, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
			count, _ := strconv.Atoi(n)
			return count
		}
	}
	return 0
}

func (p *Process) ended() {
	p.mu.Lock()
	unix.Close(p.pidfd)
	p.pidfd = -1
	p.mu.Unlock()
	p.prog.forgetPID(p.pid)
	close(p.done)
}

// PID of the process.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal; that the process is gone is no error.
func (p *Process) Signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pidfd < 0 {
		return nil
	}
	if err := unix.PidfdSendSignal(p.pidfd, s, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("send %s to process %d: %w", s, p.pid, err)
	}
	return nil
}

// Reason says why the process ended. Only after Done.
func (p *Process) Reason() string {
	return describeExit(p.status, p.prog.Log.Tail(p.from, 64<<10), p.prog.oomKills() > p.ooms)
}

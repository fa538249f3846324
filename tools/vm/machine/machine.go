package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/tools/vm/console"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/qmp"
)

// maxResets is how often a machine that may reboot does so before it counts as a reboot loop.
const maxResets = 5

// Machine is one that was switched on.
type Machine struct {
	Console *console.Log // of this boot

	spec  Spec
	ports map[int]int
	races bool // it is emulated, in a way that may break it: see EmulatorFault
	cmd   *exec.Cmd
	power time.Time     // when it was switched on
	ended chan struct{} // closed when QEMU has ended and the console is read to its end
	why   error         // that it has; set before ended is closed

	mu        sync.Mutex
	qmp       *qmp.Client
	shutdown  string // QEMU's reason of the last SHUTDOWN event
	resets    int
	bites     int // of the watchdog
	unplugged bool
}

// Start switches a machine on. It returns when QEMU runs; what the machine does is seen on its Console. Unless it is
// detached the machine ends with this process, however that ends.
func Start(ctx context.Context, spec Spec) (*Machine, error) {
	dir, err := filepath.Abs(spec.Dir)
	if err != nil {
		return nil, err
	}
	spec.Dir = dir
	if err := spec.check(); err != nil {
		return nil, err
	}
	h, err := prepare(&spec)
	if err != nil {
		return nil, err
	}
	m := &Machine{spec: spec, ports: h.ports, races: h.board.races && !h.kvm, ended: make(chan struct{})}
	m.cmd = exec.Command(h.board.qemu, spec.arguments(h)...)
	m.cmd.Dir = spec.Dir
	// A process group of its own, so that Ctrl-C in the terminal reaches us and not QEMU.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !spec.Detach, Setsid: spec.Detach}
	if !spec.Detach {
		m.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := m.run(); err != nil {
		return nil, err
	}
	if err := m.connect(ctx); err != nil {
		m.PullPlug()
		return nil, err
	}
	return m, nil
}

// prepare makes the machine's folder ready and finds what QEMU needs on the host.
func prepare(spec *Spec) (host, error) {
	b, err := boardOf(spec.Board, spec.Arch)
	if err != nil {
		return host{}, err
	}
	h := host{board: b, kvm: b.native() && kvmUsable()}
	if _, err := exec.LookPath(b.qemu); err != nil {
		return h, fmt.Errorf("%s is not installed; on Debian and Ubuntu it is in the package %s", b.qemu, b.pkg)
	}
	if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
		return h, fmt.Errorf("create the machine's folder: %w", err)
	}
	if pid, err := Running(spec.Dir); err != nil {
		return h, err
	} else if pid != 0 {
		return h, fmt.Errorf("a machine already runs in %s (process %d)", spec.Dir, pid)
	}
	disks := make([]Disk, len(spec.Disks))
	for i, d := range spec.Disks {
		path, err := filepath.Abs(d.Path)
		if err != nil {
			return h, err
		}
		disks[i] = d
		disks[i].Path = path
	}
	spec.Disks = disks
	for _, name := range []string{ConsoleName, ServicesName, qemuLogName} {
		path := filepath.Join(spec.Dir, name)
		if err := os.Rename(path, path+OldSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return h, fmt.Errorf("keep the last boot's log: %w", err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return h, err
		}
	}
	if b.fixed != nil {
		if err := b.fixed.extract(spec.Dir, spec.Disks[0].Path); err != nil {
			return h, err
		}
	}
	if spec.Kernel == nil && spec.Firmware == UEFI {
		if h.uefi, err = b.findUEFI(); err != nil {
			return h, err
		}
		if own := filepath.Join(spec.Dir, varsName); h.uefi.vars != "" && !exists(own) {
			if err := disk.Copy(own, h.uefi.vars, 0); err != nil {
				return h, fmt.Errorf("UEFI variables: %w", err)
			}
		}
	}
	h.ports, err = freePorts(spec.Forward)
	return h, err
}

// run starts QEMU and everything that watches it.
func (m *Machine) run() error {
	log, err := os.OpenFile(filepath.Join(m.spec.Dir, qemuLogName), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log

	m.power = time.Now()
	m.Console = console.NewLog(m.power)
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started QEMU, so that thread must not end before.
		runtime.LockOSThread()
		err := m.cmd.Start()
		started <- err
		if err == nil {
			exited <- m.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start QEMU: %w", err)
	}
	follow, stop := context.WithCancel(context.Background())
	followed := make(chan error, 1)
	go func() { followed <- m.Console.Follow(follow, filepath.Join(m.spec.Dir, ConsoleName)) }()
	go func() {
		wait := <-exited
		if c := m.QMP(); c != nil {
			<-c.Closed() // the event that says why comes before
		}
		stop()
		m.why = errors.Join(m.whyEnded(wait), <-followed)
		m.Console.Fail(m.why)
		close(m.ended)
	}()
	return nil
}

// connect waits for QEMU's socket, which comes a moment after the process.
func (m *Machine) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := qmp.Dial(ctx, filepath.Join(m.spec.Dir, qmpName), m.event)
		if err == nil {
			m.mu.Lock()
			m.qmp = c
			m.mu.Unlock()
			return nil
		}
		select {
		case <-m.ended:
			return m.Err()
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// event keeps what QEMU tells about the machine's power.
func (m *Machine) event(e qmp.Event) {
	var data struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Name {
	case "SHUTDOWN":
		m.shutdown = data.Reason
	case "RESET":
		if m.resets++; m.resets > maxResets {
			m.Console.Fail(fmt.Errorf("the machine rebooted %d times: a reboot loop", m.resets))
		}
	case "WATCHDOG":
		m.bites++
	}
}

// WatchdogResets is how often the watchdog has reset the machine since power-on.
func (m *Machine) WatchdogResets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bites
}

// whyEnded puts into words why QEMU is gone. wait is what waiting for the process returned.
func (m *Machine) whyEnded(wait error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.unplugged:
		return ErrUnplugged
	case m.shutdown == "guest-reset":
		return ErrRebooted
	case m.shutdown == "guest-shutdown":
		return ErrPoweredOff
	}
	b, _ := os.ReadFile(filepath.Join(m.spec.Dir, qemuLogName))
	return fmt.Errorf("QEMU ended: %v: %s", wait, strings.TrimSpace(string(b)))
}

// Why a machine is off.
var (
	ErrUnplugged  = errors.New("its plug was pulled")
	ErrRebooted   = errors.New("the machine rebooted by itself")
	ErrPoweredOff = errors.New("the machine switched itself off")
)

// Err is why the machine is off, one of the errors above or QEMU's words; nil while it is on.
func (m *Machine) Err() error {
	select {
	case <-m.ended:
		return m.why
	default:
		return nil
	}
}

// Ended is closed when the machine is off.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Age is the time since power-on, by which the Console's lines are timed too.
func (m *Machine) Age() time.Duration { return time.Since(m.power) }

// Address is where a forwarded port of the machine is reached from the host.
func (m *Machine) Address(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", m.ports[port])
}

// PID is QEMU's process ID.
func (m *Machine) PID() int { return m.cmd.Process.Pid }

// QMP is for what this package has no method for, such as keys and screenshots.
func (m *Machine) QMP() *qmp.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.qmp
}

// PullPlug cuts the power at once. It does nothing to a machine that is off.
func (m *Machine) PullPlug() {
	m.mu.Lock()
	m.unplugged = true
	m.mu.Unlock()
	m.cmd.Process.Kill() // an error says that it has ended already
	<-m.ended
}

// PullStick pulls the stick out that the machine was booted from; see [Spec.Stick].
func (m *Machine) PullStick(ctx context.Context) error {
	return m.QMP().Execute(ctx, "device_del", map[string]string{"id": stickID}, nil)
}

// PowerOff presses the power button and waits until the machine is off; it fails when it is off for another reason, or not
// before ctx ends.
func (m *Machine) PowerOff(ctx context.Context) error {
	if err := m.QMP().PowerButton(ctx); err != nil {
		return err
	}
	select {
	case <-m.ended:
		if err := m.Err(); !errors.Is(err, ErrPoweredOff) {
			return err
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the machine does not shut down: %w", context.Cause(ctx))
	}
}

// Report is the end of everything that the machine wrote, for a person who must find out what went wrong.
func (m *Machine) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- end of the console (%s)\n%s\n", filepath.Join(m.spec.Dir, ConsoleName), m.Console.Tail(60))
	services := filepath.Join(m.spec.Dir, ServicesName)
	if text, err := os.ReadFile(services); err == nil && len(text) > 0 {
		fmt.Fprintf(&b, "--- end of the services' logs (%s)\n%s\n", services, lastLines(string(text), 60))
	}
	return b.String()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

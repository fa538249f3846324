package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// stationFiles are the files of the wpa_supplicant of one interface, in memory. It goes on when machined ends, and the next
// machined finds it by them.
type stationFiles struct{ dir, name string }

func (f stationFiles) config() string  { return filepath.Join(f.dir, f.name+".conf") }
func (f stationFiles) pid() string     { return filepath.Join(f.dir, f.name+".pid") }
func (f stationFiles) log() string     { return filepath.Join(f.dir, f.name+".log") }
func (f stationFiles) client() string  { return filepath.Join(f.dir, f.name+".client") }
func (f stationFiles) control() string { return filepath.Join(f.dir, "control") }
func (f stationFiles) server() string  { return filepath.Join(f.control(), f.name) }

// adopt connects to a wpa_supplicant of an earlier machined that has that config; nil: there is none.
func (f stationFiles) adopt(config string) *controlSocket {
	now, err := os.ReadFile(f.config())
	if err != nil || string(now) != config {
		return nil
	}
	c, err := dialControl(f.server(), f.client())
	if err != nil {
		return nil
	}
	if c.expect("PING", "PONG") != nil {
		c.close()
		return nil
	}
	return c
}

// start runs a wpa_supplicant with that config, and connects to it. ended is closed when it has ended.
func (f stationFiles) start(ctx context.Context, program, config string) (c *controlSocket, ended <-chan struct{}, err error) {
	if err := os.MkdirAll(f.control(), 0o700); err != nil {
		return nil, nil, err
	}
	if err := atomicfile.Write(f.config(), []byte(config), 0o600); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(f.log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	os.Remove(f.server())                                                               // of one that was killed
	cmd := exec.Command(program, "-q", "-D", "nl80211", "-i", f.name, "-c", f.config()) // -q: warnings only; the log is in memory
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start wpa_supplicant: %w", err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	if err := atomicfile.Write(f.pid(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		cmd.Process.Kill()
		return nil, nil, err
	}
	for deadline := bootTime() + 10*time.Second; ; {
		if c, err = dialControl(f.server(), f.client()); err == nil {
			return c, done, nil
		}
		select {
		case <-done:
			return nil, nil, f.explain(errors.New("wpa_supplicant ended"))
		default:
		}
		if bootTime() > deadline || !sleep(ctx, 20*time.Millisecond) {
			cmd.Process.Kill()
			<-done
			return nil, nil, f.explain(errNoAnswer)
		}
	}
}

// explain adds to err what wpa_supplicant said last.
func (f stationFiles) explain(err error) error {
	b, _ := os.ReadFile(f.log())
	lines := strings.Split(strings.TrimSpace(string(b[max(0, len(b)-4<<10):])), "\n")
	if last := hostText(lines[len(lines)-1]); last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// end ends the wpa_supplicant of the interface, whoever started it, and removes its files.
func (f stationFiles) end(program string) {
	defer func() {
		for _, name := range []string{f.pid(), f.config(), f.log(), f.server(), f.client()} {
			os.Remove(name)
		}
	}()
	text, _ := os.ReadFile(f.pid())
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return
	}
	runs := func() bool {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err == nil && exe == program
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for deadline := bootTime() + stopTime; runs() && bootTime() < deadline; time.Sleep(20 * time.Millisecond) {
			syscall.Kill(pid, signal)
		}
	}
}

// endOthers ends every wpa_supplicant in dir that is for none of the ports: those that an earlier machined wanted.
func endOthers(dir, program string, ports map[string]*port) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pid")
		if p := ports[name]; p == nil || p.station == nil {
			stationFiles{dir, name}.end(program)
		}
	}
}

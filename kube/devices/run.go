package devices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Config is where devices and the kubelet are.
type Config struct {
	Dev       string // /dev
	Sys       string // /sys
	Mountinfo string // proc_pid_mountinfo(5)
	PluginDir string // of device plugins, where the kubelet has its socket
	Folders   string // where those of resources are made; see [Resource]
	// IsDevice says which files are device nodes, and Clone makes another one for a device. nil: character devices, mknod(2).
	IsDevice func(fs.FileMode) bool
	Clone    func(node, clone string) error
	// Report is told what does not work, or not yet; nil: all is well.
	Report func(problems []string)
}

// How long it takes until what failed is tried again: this, then twice as long, up to the limit. A kubelet that has just made its
// socket may not listen yet.
const (
	retryFirst  = 50 * time.Millisecond
	retryAtMost = 5 * time.Second
)

// errNoKubelet is not reported: a kubelet that has not started is its own component's concern.
var errNoKubelet = errors.New("no kubelet listens")

// plugin is what the loop of Run knows.
type plugin struct {
	Config
	watcher   *fsnotify.Watcher
	kubelet   fs.FileInfo          // socket of the one that the resources are registered with
	endpoints map[string]*endpoint // of registered resources, by name
	retry     time.Duration
	said      []string
}

// Run offers the machine's devices until ctx ends; then it returns nil. The kubelet may start before or after it. An error is one
// that no waiting helps against.
func Run(ctx context.Context, c Config) error {
	if err := os.MkdirAll(c.PluginDir, 0o750); err != nil {
		return fmt.Errorf("folder of device plugins: %w", err)
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch for devices: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(c.PluginDir); err != nil {
		return fmt.Errorf("watch %s for the kubelet: %w", c.PluginDir, err)
	}
	p := &plugin{Config: c, watcher: watcher, endpoints: map[string]*endpoint{}, retry: retryFirst}
	defer p.drop()
	for {
		errs := p.look(ctx)
		p.say(errs)
		if !p.wait(ctx, len(errs) > 0) {
			return nil
		}
	}
}

// look offers what there is now. It returns why not all of it.
func (p *plugin) look(ctx context.Context) (errs []error) {
	listens := p.meetKubelet()
	if err := p.watchFolders(p.watcher); err != nil {
		errs = append(errs, err)
	}
	var fresh []func() error
	for _, r := range Resources {
		all, err := p.all(r)
		if err == nil && r.Folder != "" {
			err = p.fillFolder(r, all)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		nodes := r.counted(all)
		if e := p.endpoints[r.Name]; e != nil {
			e.set(nodes)
		} else if len(nodes) > 0 {
			fresh = append(fresh, func() error { return p.offer(ctx, r, nodes) })
		}
	}
	if len(fresh) > 0 && !listens {
		return append(errs, errNoKubelet)
	}
	for _, offer := range fresh {
		if err := offer(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// meetKubelet takes back what another kubelet than the one that is there now was told. It reports whether there is one.
func (p *plugin) meetKubelet() bool {
	listens := p.kubeletListens() // before the look at its socket, which is of the same kubelet then, or of a later one
	if socket, err := os.Stat(p.kubeletSocket()); err == nil && !same(socket, p.kubelet) {
		p.drop()
		p.kubelet = socket
	}
	return listens
}

func (p *plugin) offer(ctx context.Context, r Resource, nodes []string) error {
	e, err := serve(p.Config, r, nodes)
	if err != nil {
		return err
	}
	if err := p.register(ctx, r); err != nil {
		e.stop()
		return err
	}
	slog.Info("devices registered", "resource", r.FullName(), "nodes", nodes)
	p.endpoints[r.Name] = e
	return nil
}

// same is whether a socket is the one that was there before. Inodes are used again, so the time has to be the same too.
func same(socket, before fs.FileInfo) bool {
	return before != nil && os.SameFile(socket, before) && socket.ModTime().Equal(before.ModTime())
}

// drop takes back all that is offered.
func (p *plugin) drop() {
	for name, e := range p.endpoints {
		e.stop()
		delete(p.endpoints, name)
	}
}

// wait returns true when there is reason to look again, and false when ctx has ended.
func (p *plugin) wait(ctx context.Context, failed bool) bool {
	var again <-chan time.Time
	if failed {
		again = time.After(p.retry)
		p.retry = min(2*p.retry, retryAtMost)
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-again:
			return true
		case err := <-p.watcher.Errors:
			slog.Warn("devices: events were lost", "error", err)
		case e := <-p.watcher.Events:
			if started := e.Name == p.kubeletSocket() && e.Has(fsnotify.Create); !started && !p.concerns(e) {
				continue
			}
		}
		p.retry = retryFirst
		return true
	}
}

// say reports what is wrong, once.
func (p *plugin) say(errs []error) {
	var problems []string
	for _, err := range errs {
		if !errors.Is(err, errNoKubelet) {
			problems = append(problems, "devices: "+err.Error())
		}
	}
	if slices.Equal(problems, p.said) {
		return
	}
	p.said = problems
	if problems != nil {
		slog.Warn("devices", "problems", problems)
	}
	p.Report(problems)
}

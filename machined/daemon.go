package main

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/boots"
	"github.com/coracle-os/coracle/machined/clock"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/console"
	"github.com/coracle-os/coracle/machined/hardware"
	"github.com/coracle-os/coracle/machined/health"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/logs"
	"github.com/coracle-os/coracle/machined/network"
	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/update"
)

// kubeProgram is how kube is run. HOME is where programs look for settings of theirs that a machine does not have.
var kubeProgram = services.Program{
	Path:    "/usr/bin/kube",
	Args:    []string{"run", "--wait", "--settings", control.SettingsPath},
	Env:     []string{"PATH=/usr/bin:/usr/sbin:/opt/cni/bin", "HOME=" + control.StateDir},
	PIDFile: control.PIDPath,
	Cgroup:  "/sys/fs/cgroup/podruntime",
	OOM:     -900,
	Log:     services.Log{Path: control.RunDir + "/log"},
}

// daemon is all that the phases work on.
type daemon struct {
	ctx     context.Context // of the loops: until machined ends
	loops   sync.WaitGroup
	line    *os.File // to init
	log     *slog.Logger
	store   *state.Store
	monitor *health.Monitor
	release release.Release
	boot    handover.Boot
	board   hardware.Board

	kube       *services.Supervisor
	kubeStatus services.Control
	network    *network.Manager
	clock      *clock.Syncer
	api        *api.Server
	configs    configs
	updater    *update.Updater
	boots      *boots.Counter
	installer  installer

	nodeChanged     chan struct{} // a signal that node is another
	scheduleChanged chan struct{} // that upgrades may be due at other times
	confirmed       chan struct{} // that the version on trial is

	// Set by one phase and read by those after it.
	dataReady  bool
	id         string
	machineKey ed25519.PrivateKey

	mu         sync.Mutex // guards what follows, which changes later too
	config     types.MachineConfig
	text       []byte // of config; nil: the machine has none
	configured bool
	media      string       // folder of the attached volume; empty: none
	found      config.Found // what the places held where a config can be
	listening  func()       // stops the API's listener
	timing     func()       // stops setting the clock; nil: it is not set
	name       string       // of the machine
	logging    func()       // stops copying the log of kube; nil: it is not copied
	node       *node        // nil: kube is not wanted, or not yet
	port       int          // the API listens on
}

func newDaemon(ctx context.Context, line *os.File) *daemon {
	d := &daemon{ctx: ctx, line: line, log: logs.New(), monitor: health.NewMonitor(), nodeChanged: make(chan struct{}, 1), scheduleChanged: make(chan struct{}, 1), confirmed: make(chan struct{}, 1), config: config.Default()}
	var err error
	if d.release, err = release.Read(release.Path); err != nil {
		d.log.Error("what release this is", "error", err)
	}
	if d.boot, err = handover.Read(handover.Path); err != nil {
		d.log.Error("what was booted", "error", err)
	}
	d.board = hardware.ReadBoard(os.DirFS("/"))
	d.store = state.NewStore(state.Machine{
		Version: d.release.Version, Kubernetes: d.release.Kubernetes, Arch: runtime.GOARCH, Board: d.board, Slot: d.boot.Slot,
		API: state.API{Port: d.config.Machine.API.Port}, Kube: state.Kube{Phase: state.Off},
	})
	d.kubeStatus = services.NewControl(control.SocketPath)
	d.kube = services.NewSupervisor(kubeProgram, control.SettingsPath, d.store, d.log, d.monitor.Loop("supervisor of kube", time.Minute))
	d.kube.Started = func() { d.milestone("kube", "") }
	d.network = network.New(d.log)
	d.clock = clock.New(d.release.Built(), clock.SavedPath, d.log)
	d.configs = newConfigs(d)
	d.updater = newUpdater(d)
	d.boots = &boots.Counter{Path: bootsPath}
	d.installer = newInstaller()
	d.api = &api.Server{Log: d.log, Backend: d.backend()}
	return d
}

// loop runs f until machined ends. f promises to call beat at least every limit.
func (d *daemon) loop(name string, limit time.Duration, f func(ctx context.Context, beat func())) {
	beat := d.monitor.Loop(name, limit)
	d.loops.Go(func() { f(d.ctx, beat) })
}

// startLoops starts what runs from the first moment on.
func (d *daemon) startLoops() {
	d.loops.Go(func() { d.monitor.Run(d.ctx, d.line, d.log) })
	d.loops.Go(func() { d.kube.Run(d.ctx) })
	d.loop("status of kube", time.Minute, (&services.Watcher{Control: d.kubeStatus, Store: d.store, Milestone: d.milestone}).Run)
	d.loop("log of kube", time.Minute, d.trimLog)
	d.loop("announcements", time.Minute, func(ctx context.Context, beat func()) { console.Announce(ctx, d.store, say, beat) })
	d.loops.Go(func() { // without the monitor: no screen, or a broken one, is no reason to restart the machine
		if err := console.Show(d.ctx, d.store); err != nil {
			d.log.Info("status screen", "error", err)
		}
	})
	d.loops.Go(func() { // without the monitor either
		(&hardware.Light{Sys: "/sys", Board: d.board, LoadModules: host.LoadModules, Log: d.log}).Show(d.ctx, d.store)
	})
	d.loops.Go(d.announceSelf)
	d.loop("measurements", time.Minute, d.measure)
}

// say prints a line on every console.
func say(l console.Line) {
	if l.Error {
		kmsg.Error(logs.Component, "%s", l.Text)
		return
	}
	kmsg.Notice(logs.Component, "%s", l.Text)
}

// milestone prints a milestone, once a boot.
func (d *daemon) milestone(name, detail string) {
	if _, said := milestones.LoadOrStore(name, true); !said {
		kmsg.Milestone(logs.Component, name, detail)
	}
}

// milestones that this machined printed, so that not each poll looks for the file that remembers them.
var milestones sync.Map

// current returns the config in force, and whether the machine has one.
func (d *daemon) current() (types.MachineConfig, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config, d.configured
}

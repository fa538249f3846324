package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
	"github.com/coracle-os/coracle/init/uevent"
)

// watchDevices loads the modules for the devices that are there and those that appear, listens to power buttons, and restarts the machine
// when the disk that it runs from is gone.
func watchDevices(loader *modules.Loader, requests chan<- request, disk string) {
	events, err := uevent.Listen() // Before the first look at /sys, so that nothing falls in between.
	if err != nil {
		kmsg.Error(component, "%v: devices that are plugged in later stay without a driver", err)
		newPlugging(loader, requests).coldplug()
		return
	}
	defer events.Close()
	p := newPlugging(loader, requests)
	guard("modules", p.run)
	for {
		e, err := events.Receive(time.Time{})
		switch {
		case errors.Is(err, uevent.ErrLost):
			p.add("", true)
		case err != nil:
			kmsg.Error(component, "%v", err)
			time.Sleep(again)
		case e.Action == "add" && e.Modalias != "":
			p.add(e.Modalias, false)
		case e.Action == "add" && e.Subsystem == "input" && strings.HasPrefix(e.Name, "input/event"):
			p.button(e.Name)
		case isRemoval(e, disk):
			restartWithoutDisk(disk)
		}
	}
}

// plugging loads modules for devices. Those that appear while it does so wait for the next batch: the index of
// all modules is read once a batch.
type plugging struct {
	loader   *modules.Loader
	requests chan<- request
	wake     chan struct{}

	mu      sync.Mutex
	aliases []string
	look    bool            // at all of /sys
	buttons map[string]bool // input devices that are listened to
}

func newPlugging(loader *modules.Loader, requests chan<- request) *plugging {
	return &plugging{
		loader: loader, requests: requests, look: true,
		wake: make(chan struct{}, 1), buttons: make(map[string]bool),
	}
}

func (p *plugging) add(alias string, look bool) {
	p.mu.Lock()
	if alias != "" {
		p.aliases = append(p.aliases, alias)
	}
	p.look = p.look || look
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *plugging) take() (aliases []string, look bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	aliases, look = p.aliases, p.look
	p.aliases, p.look = nil, false
	return aliases, look
}

func (p *plugging) run() {
	first := true
	for {
		aliases, look := p.take()
		if look {
			p.coldplug()
		}
		if _, err := p.loader.Plug(aliases...); err != nil {
			kmsg.Info(component, "%v", err)
		}
		if first {
			first = false
			if err := compressMemory(p.loader); err != nil {
				kmsg.Error(component, "compressed memory: %v", err)
			}
		}
		debug.FreeOSMemory() // The index of modules is most of what this process ever uses.
		<-p.wake
	}
}

// coldplug looks at all of /sys, again for as long as modules bring new devices.
func (p *plugging) coldplug() {
	for {
		n, err := p.loader.Coldplug(os.DirFS("/sys"))
		if err != nil {
			kmsg.Info(component, "%v", err)
		}
		if n == 0 || err != nil {
			break
		}
	}
	nodes, _ := filepath.Glob("/dev/input/event*")
	for _, node := range nodes {
		p.button(strings.TrimPrefix(node, "/dev/"))
	}
}

// button listens to the input device with this name below /dev, if it has a power key and is not listened to already.
func (p *plugging) button(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buttons[name] {
		return
	}
	f, err := openPowerButton(name)
	if err != nil {
		kmsg.Info(component, "%v", err)
	}
	if f == nil {
		return
	}
	p.buttons[name] = true
	guard("power button", func() {
		watchPowerButton(f, p.requests)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.buttons, name)
	})
}

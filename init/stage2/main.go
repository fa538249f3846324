// Command init is PID 1 of a running machine, /usr/bin/init. It mounts what every program expects, keeps machined
// running, reaps, loads the modules of devices that appear, feeds the hardware watchdog while machined is
// healthy, and shuts the machine down in order. It does as little as possible, because what it does must never fail.
//
// The kernel runs the same program, not as PID 1, in modprobe's place.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
)

// component is the name in front of each line of the log.
const component = "init"

// program is where this program is in the root.
const program = "/usr/bin/init"

// setup is what is done before machined starts, in order. When a step fails that is said, and the next is done:
// machined can do more for a machine with a mount missing than a PID 1 that gives up.
var setup = []struct {
	name string
	do   func() error
}{
	{"mount file systems", mountAll},
	{"make device links", linkDevices},
	{"make cgroups", makeCgroups},
	{"set limits", setLimits},
	{"set kernel parameters", setKernelParameters},
	{"set the memory that is kept free", setReserve}, // after huge pages, which change it
	{"read nothing ahead", readNothingAhead},
	{"prepare for compressed memory", setSwapping},
}

func main() {
	if os.Getpid() != 1 {
		os.Exit(modprobe(os.Args[1:]))
	}
	beSmall()
	requests := make(chan request, 1)
	guard("signals", func() { watchSignals(requests) })
	boot, err := handover.Read(handover.Path)
	if err != nil {
		kmsg.Error(component, "%v", err)
	}
	dir, err := modules.Dir()
	if err != nil {
		kmsg.Error(component, "%v", err)
	}
	loader := modules.Open(dir)
	health := newHealth(time.Now)
	dog := newWatchdog(health, loader.Load)
	dog.takeOver(boot.Watchdog) // first of all: nobody has fed it since stage 1
	for _, s := range setup {
		if err := s.do(); err != nil {
			kmsg.Error(component, "%s: %v", s.name, err)
		}
	}
	children := newReaper()
	guard("reaper", children.run)
	trial := newTrial(boot, requests)
	guard("trial", trial.run)
	machined := newSupervisor(children, health, dog.setTimeout, requests, trial)
	guard("supervisor", machined.run)
	guard("devices", func() { watchDevices(loader, requests, boot.Disk) })
	guard("watchdog", dog.run)

	shutdown(<-requests, machined, dog)
	for {
		time.Sleep(time.Hour) // PID 1 must not end, whatever became of the shutdown.
	}
}

// beSmall trades a little speed for memory: PID 1 has little to do. One thread runs Go code; those that wait in
// the kernel do not count.
func beSmall() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)
}

// again is the pause before something that broke is started again.
const again = time.Second

// guard runs fn in the background, and runs it again if it panics: a defect in one part must not end
// PID 1, and the machine with it.
func guard(name string, fn func()) {
	go func() {
		for survived(name, fn) {
			time.Sleep(again)
		}
	}()
}

// survived runs fn and reports whether it panicked.
func survived(name string, fn func()) (panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			kmsg.Error(component, "defect in %s, starting it again: %v\n%s", name, r, debug.Stack())
			panicked = true
		}
	}()
	fn()
	return false
}

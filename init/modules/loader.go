// Package modules loads kernel modules the way modprobe(8) does, from the index files that depmod(8)
// makes: by name, by alias, and for the devices that are there (coldplug).
package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Loader loads the modules of one directory. Its methods may be called from several goroutines.
type Loader struct {
	// Async says for which modules, by name, drivers may look for their devices in the background. Loading ahci
	// then does not last until every port has answered; but the order of the devices' names is left to
	// chance. Nil: for none.
	Async func(module string) bool

	files     fs.FS
	insert    func(file string) error
	live      func(module string) bool
	blacklist func() []string // of the kernel's arguments

	mu    sync.Mutex
	tried map[string]bool // aliases of devices that were seen
}

// Dir is the directory with the modules of the running kernel.
func Dir() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return filepath.Join("/usr/lib/modules", unix.ByteSliceToString(u.Release[:])), nil
}

// Open returns a Loader for the modules in dir. Nothing is read before it is needed.
func Open(dir string) *Loader {
	l := &Loader{files: os.DirFS(dir), live: live, blacklist: sync.OnceValue(bootBlacklist), tried: make(map[string]bool)}
	l.insert = func(file string) error {
		var parameters string
		if l.Async != nil && l.Async(moduleName(file)) {
			parameters = "async_probe" // The kernel's own, which every module takes.
		}
		return insert(filepath.Join(dir, file), parameters)
	}
	return l
}

// Load loads the named modules, or the modules that an alias such as fs-ext4 stands for, after all
// that they need. Modules that are in the kernel already are no error, nor are soft dependencies that
// fail. Every module is tried; the error joins what failed.
func (l *Loader) Load(names ...string) error {
	unknown, err := l.load(names)
	for _, name := range unknown {
		err = errors.Join(err, fmt.Errorf("load module %s: no module or alias of that name in this image", name))
	}
	return err
}

// load is Load, and returns the names that nothing is known about.
func (l *Loader) load(names []string) (unknown []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	ix, err := readIndex(l.files)
	if err != nil {
		return nil, err
	}
	steps, unknown, err := plan(ix, names, l.resolve)
	if err != nil {
		return nil, err
	}
	return unknown, l.run(steps)
}

// run loads the modules of steps, several at a time: most of the time goes into unpacking them, which the
// kernel does on the CPU that asks for it.
func (l *Loader) run(steps []step) error {
	errs := make([]error, len(steps))
	over := make([]chan struct{}, len(steps))
	next := make(chan int, len(steps))
	for i := range steps {
		over[i] = make(chan struct{})
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	for range min(runtime.NumCPU(), 4, len(steps)) {
		workers.Go(func() {
			// Steps are taken in order and wait for earlier ones only: the earliest can always go on.
			for i := range next {
				for _, earlier := range steps[i].after {
					<-over[earlier]
				}
				if !l.live(steps[i].name) {
					// As modprobe does: crc32c_intel, which ext4 would like to have, is for some CPUs only.
					if err := l.insert(steps[i].path); err != nil && !steps[i].optional {
						errs[i] = fmt.Errorf("load module %s: %w", steps[i].name, err)
					}
				}
				close(over[i])
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// moduleInitCompressedFile is MODULE_INIT_COMPRESSED_FILE of linux/module.h: the kernel unpacks.
const moduleInitCompressedFile = 4

func insert(file, parameters string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = moduleInitCompressedFile
	}
	if err := unix.FinitModule(int(f.Fd()), parameters, flags); err != nil && err != unix.EEXIST {
		return err
	}
	return nil
}

// live reports whether a module is in the kernel and initialised. Only a loaded module has an
// initstate; a built-in one with parameters has a directory but no such file.
func live(module string) bool {
	b, err := os.ReadFile(filepath.Join("/sys/module", module, "initstate"))
	return err == nil && strings.TrimSpace(string(b)) == "live"
}

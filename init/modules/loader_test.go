package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
)

// kernel is a kernel that remembers the modules it was given.
type kernel struct {
	sync.Mutex
	files  []string
	refuse map[string]error
}

func (k *kernel) loader(fsys fs.FS) *Loader {
	return &Loader{
		files: fsys,
		insert: func(file string) error {
			k.Lock()
			defer k.Unlock()
			k.files = append(k.files, moduleName(file))
			return k.refuse[moduleName(file)]
		},
		live:      func(module string) bool { return module == "reed_solomon" },
		blacklist: func() []string { return nil },
		tried:     make(map[string]bool),
	}
}

func TestLoad(t *testing.T) {
	var k kernel
	if err := k.loader(debian).Load("dm-verity", "virtio_pci"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"dm_mod", "dm_bufio", "dm_verity"}; !slices.Equal(k.files, want) {
		t.Errorf("loaded %q, want %q: dependencies first, without what is in already", k.files, want)
	}
}

func TestLoadFails(t *testing.T) {
	k := kernel{refuse: map[string]error{"dm_bufio": syscall.ENOEXEC}}
	err := k.loader(debian).Load("dm-verity", "nope")
	if !errors.Is(err, syscall.ENOEXEC) {
		t.Errorf("error %v does not say why", err)
	}
	for _, want := range []string{"dm_bufio", "nope"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if err := k.loader(fstest.MapFS{}).Load("x"); err == nil || !strings.Contains(err.Error(), "depmod") {
		t.Errorf("without modules.dep: %v", err)
	}
}

// TestLoadWithoutSoftDependency: crc32c_intel refuses a CPU without SSE4.2. What asks for crc32c, which stands for
// crc32c_generic too, must be loaded all the same.
func TestLoadWithoutSoftDependency(t *testing.T) {
	k := kernel{refuse: map[string]error{"crc32c_intel": syscall.ENODEV}}
	if err := k.loader(debian).Load("fs-erofs"); err != nil {
		t.Errorf("a soft dependency that fails: %v", err)
	}
	for _, want := range []string{"crc32c_generic", "crc32c_intel", "libcrc32c", "erofs"} {
		if !slices.Contains(k.files, want) {
			t.Errorf("loaded %q, without %s", k.files, want)
		}
	}
	if err := k.loader(debian).Load("fs-erofs", "crc32c_intel"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("a soft dependency that is asked for by name: %v, want ENODEV", err)
	}
}

func TestColdplug(t *testing.T) {
	sysfs := textFiles(map[string]string{
		"bus/virtio/devices/virtio0/modalias":    "virtio:d00000002v00001AF4\n",
		"bus/virtio/devices/virtio1/modalias":    "virtio:d00000002v00001AF4\n",
		"bus/acpi/devices/LNXPWRBN:00/modalias":  "acpi:LNXPWRBN:\n",
		"bus/platform/devices/empty/modalias":    "",
		"bus/platform/devices/unknown/modalias":  "platform:unknown\n",
		"devices/system/cpu/modalias":            "cpu:type:x86",
		"bus/platform/drivers_autoprobe/trouble": "",
	})
	k := kernel{refuse: map[string]error{
		"late":   syscall.ENODEV,
		"circle": fmt.Errorf("open: %w", fs.ErrNotExist),
	}}
	l := k.loader(debian)
	n, err := l.Coldplug(sysfs)
	if err != nil {
		t.Errorf("a module without its device or file: %v", err)
	}
	if n != 4 || !slices.Contains(k.files, "virtio_blk") || !slices.Contains(k.files, "late") {
		t.Errorf("%d devices, loaded %q", n, k.files)
	}
	k.files = nil
	sysfs["bus/usb/devices/1-1/modalias"] = &fstest.MapFile{Data: []byte("fs-erofs")}
	n, err = l.Coldplug(sysfs)
	if n != 1 || err != nil || !slices.Contains(k.files, "erofs") || slices.Contains(k.files, "virtio_blk") {
		t.Errorf("second time: %d devices, loaded %q, error %v: want the new one only", n, k.files, err)
	}
	k.refuse = map[string]error{"dm_mod": syscall.EINVAL}
	if _, err := l.Plug("dm-mod"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Plug: %v, want EINVAL", err)
	}
}

package machine

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// kvmUsable is whether this process may run PCs on the processor itself; other machines are emulated. That /dev/kvm opens is not enough. In some
// virtual machines it is one that runs only guests that are made for it (PVM): the processor has no virtualization then. In
// others QEMU aborts when it sets the processor up, so it is asked to, once.
var kvmUsable = sync.OnceValue(func() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	if cpuinfo, err := os.ReadFile("/proc/cpuinfo"); err != nil || !virtualizes(string(cpuinfo)) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pc := boards[0]
	args := append(pc.accelerator(true), "-machine", pc.machine, "-nodefaults", "-display", "none", "-S", "-qmp", "stdio")
	cmd := exec.CommandContext(ctx, pc.qemu, args...)
	cmd.Stdin = strings.NewReader(`{"execute": "qmp_capabilities"} {"execute": "quit"}`)
	return cmd.Run() == nil
})

// virtualizes reports whether the processor that /proc/cpuinfo describes runs unmodified guests: Intel's calls it vmx, AMD's svm.
func virtualizes(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		name, flags, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "flags" {
			has := strings.Fields(flags)
			return slices.Contains(has, "vmx") || slices.Contains(has, "svm")
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// freePorts finds a free port on 127.0.0.1 for each of the machine's ports. Another process could take one before QEMU
// does; QEMU then ends and says so.
func freePorts(ports []int) (map[int]int, error) {
	free := make(map[int]int, len(ports))
	for _, port := range ports {
		// Held until all are found, so that none is found twice.
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		free[port] = l.Addr().(*net.TCPAddr).Port
	}
	return free, nil
}

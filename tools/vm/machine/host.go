package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// kvmUsable is whether this process may run machines on the processor itself. That /dev/kvm opens is not enough. In some
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
	args := append(accelerator(true), "-machine", "q35", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio")
	cmd := exec.CommandContext(ctx, qemuProgram, args...)
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

// ovmf lists where distributions put UEFI's code and the template of its variables. The two must be of one size.
var ovmf = []struct{ code, vars string }{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"}, // Debian 12 and later, Ubuntu
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},       // Debian 11
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
}

// findOVMF returns the first pair of files that exists.
func findOVMF() (code, vars string, err error) {
	for _, f := range ovmf {
		if exists(f.code) && exists(f.vars) {
			return f.code, f.vars, nil
		}
	}
	return "", "", errors.New("UEFI firmware is not installed: install the package ovmf, or boot with BIOS")
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

// Command init is PID 1 of the benchmarks' baseline: a machine whose Kubernetes is upstream's programs as separate
// processes, on the same kernel, root file system and hardware as Coracle. It starts them in the order of a usual
// installation, each when what it needs answers, and then reaps. What the machine reaches is measured from outside, as
// with Coracle.
//
// The kernel runs the same program, not as PID 1, in modprobe's place.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
)

// component is the name in front of each line of the log.
const component = "baseline"

// boot is what is done, in order. Nothing is done in parallel that a script would do one by one.
var boot = []struct {
	name string
	do   func() error
}{
	{"mount", mountAll},
	{"load modules", loadModules},
	{"set kernel parameters", setParameters},
	{"make DATA", makeData},
	{"network", configureNetwork},
	{"write configuration", writeFiles},
	{"start kine", start("kine")},
	{"start containerd", start("containerd", "--config", configDir+"/containerd.toml")},
	{"wait for kine", untilExists(kineSocket)},
	{"start kube-apiserver", start("kube-apiserver", apiserverFlags...)},
	{"wait for kube-apiserver", untilAPIReady},
	{"start kube-controller-manager", start("kube-controller-manager", controllerManagerFlags...)},
	{"start kube-scheduler", start("kube-scheduler", schedulerFlags...)},
	{"import container images", importImages},
	{"start kubelet", start("kubelet", kubeletFlags...)},
	{"start kube-proxy", start("kube-proxy", proxyFlags...)},
}

func main() {
	if os.Getpid() != 1 {
		os.Exit(modprobe(os.Args[1:]))
	}
	for _, step := range boot {
		if err := step.do(); err != nil {
			kmsg.Error(component, "%s: %v", step.name, err)
			unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
		kmsg.Notice(component, "%s: done", step.name)
	}
	for {
		var status unix.WaitStatus
		if pid, err := unix.Wait4(-1, &status, 0, nil); err != nil {
			time.Sleep(time.Second) // no child at the moment
		} else if name := programs[pid]; name != "" {
			kmsg.Error(component, "%s ended, exit status %d, signal %d:\n%s", name, status.ExitStatus(), status.Signal(), endOfLog(name))
			unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
	}
}

func modprobe(args []string) (exitCode int) {
	dir, err := modules.Dir()
	if err != nil {
		return 1
	}
	for _, a := range args {
		if !strings.HasPrefix(a, "-") && modules.Open(dir).Load(a) != nil {
			return 1
		}
	}
	return 0
}

// loadModules loads the drivers of what is there, and what upstream's programs take for granted.
func loadModules() error {
	dir, err := modules.Dir()
	if err != nil {
		return err
	}
	loader := modules.Open(dir)
	for {
		n, err := loader.Coldplug(os.DirFS("/sys"))
		if err != nil {
			kmsg.Error(component, "coldplug: %v", err)
		}
		if n == 0 {
			break
		}
	}
	return loader.Load("br_netfilter", "nf_tables", "nf_conntrack", "veth", "vxlan", "overlay", "vfat", "ext4")
}

func mountAll() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make the root's mounts shared: %w", err)
	}
	for _, m := range []struct{ kind, target string }{
		{"devpts", "/dev/pts"}, {"tmpfs", "/dev/shm"}, {"tmpfs", "/tmp"}, {"cgroup2", "/sys/fs/cgroup"},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}

func setParameters() error {
	for path, value := range map[string]string{
		"/proc/sys/kernel/modprobe":                    "/usr/bin/init",
		"/proc/sys/kernel/hostname":                    nodeName,
		"/proc/sys/net/ipv4/ip_forward":                "1",
		"/proc/sys/net/bridge/bridge-nf-call-iptables": "1",
	} {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// shutdownWait is longer than what machined and the pods may take (docs/architecture.md: init gives machined 60 s).
const shutdownWait = 2 * time.Minute

// kubeconfigName is the operator's kubeconfig in the machine's folder.
const kubeconfigName = "kubeconfig"

type runOptions struct {
	image, dir, config, volume string
	spec                       machine.Spec
	diskSize                   int64
	keepDisk, detach           bool
	timeout                    time.Duration
}

func parseRun(args []string) (runOptions, error) {
	var o runOptions
	flags, dir := newFlags("run")
	flags.StringVar(&o.spec.Arch, "arch", "amd64", "architecture of the machine: amd64, arm64 or armhf")
	flags.StringVar(&o.spec.Board, "board", "", "emulate a board instead of a virtual machine, with its memory and processors and without a network: raspi3b, with --arch arm64")
	flags.StringVar(&o.image, "image", "", "disk image to boot (default _out/coracle-ARCH.img, or coracle-rpi-ARCH.img)")
	flags.IntVar(&o.spec.Memory, "memory", 2048, "memory in MiB")
	flags.IntVar(&o.spec.CPUs, "cpus", 2, "number of CPUs")
	firmware := flags.String("firmware", string(machine.UEFI), "uefi or, on amd64, bios")
	network := flags.String("network", string(machine.NAT), "nat, silent (a link on which nobody answers) or none")
	flags.Func("disk-size", "size of the disk that the image is written to (default 8G)", func(s string) (err error) {
		o.diskSize, err = parseSize(s)
		return err
	})
	flags.BoolVar(&o.keepDisk, "keep-disk", false, "boot the disk of the machine that ran before, without flashing it")
	flags.StringVar(&o.config, "config", "", "machine config to put on BOOT (default: a server with a new admin key)")
	flags.StringVar(&o.volume, "volume", "", "image of a further disk, attached read-only")
	flags.Func("forward", "TCP `port` of the machine to forward to a free port on 127.0.0.1; may be repeated", func(s string) error {
		port, err := strconv.ParseUint(s, 10, 16)
		o.spec.Forward = append(o.spec.Forward, int(port))
		return err
	})
	flags.BoolVar(&o.detach, "detach", false, "return when the node is Ready and leave the machine running")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "how long the node may take to become Ready")
	if err := parse(flags, args, 0); err != nil {
		return o, err
	}
	o.dir, o.spec.Firmware, o.spec.Network = *dir, machine.Firmware(*firmware), machine.Network(*network)
	image := "_out/coracle-" + o.spec.Arch + ".img"
	if o.spec.Board == machine.RaspberryPi3B {
		image = "_out/coracle-rpi-" + o.spec.Arch + ".img"
		o.spec.Network = machine.None // the kernel does not get on with the USB of QEMU's
		o.spec.Memory, o.spec.CPUs, o.spec.Firmware = machine.RaspberryPi3BMemory, machine.RaspberryPi3BCPUs, machine.UBoot
	}
	o.image = cmp.Or(o.image, image)
	if o.diskSize == 0 {
		o.diskSize = 8 << 30
	}
	if o.volume != "" {
		o.spec.Disks = []machine.Disk{{Path: o.volume, ReadOnly: true}}
	}
	o.spec.Reboots, o.spec.Detach = true, o.detach
	return o, nil
}

// parseSize reads a number of bytes with an optional suffix K, M, G or T, powers of 1024 as in QEMU.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGT")
	shift := 0
	if suffix := s[len(digits):]; len(suffix) == 1 {
		shift = 10 * (1 + strings.Index("KMGT", suffix))
	} else if suffix != "" {
		digits = ""
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > (1<<50)>>shift {
		return 0, fmt.Errorf("%q is not a size such as 512M or 8G", s)
	}
	return n << shift, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parseRun(args)
	if err != nil {
		return err
	}
	dev, err := prepare(o)
	if err != nil {
		return err
	}
	fmt.Printf("booting %s: %s, %d MiB, %d CPUs; console in %s\n", o.image, o.spec.Firmware, o.spec.Memory, o.spec.CPUs,
		filepath.Join(o.dir, machine.ConsoleName))
	m, err := bootReady(ctx, o, dev)
	if err != nil {
		return err
	}
	printUse(o, m)
	if o.detach {
		return nil
	}
	return stay(ctx, m)
}

// prepare flashes the disk and puts the config on it, unless the last machine's disk is to be kept.
func prepare(o runOptions) (*device.Device, error) {
	if o.keepDisk {
		return device.Open(o.dir)
	}
	if _, err := os.Stat(o.image); err != nil {
		return nil, fmt.Errorf("%w; `make image` builds it", err)
	}
	dev, err := device.Flash(o.dir, o.image, o.diskSize)
	if err != nil {
		return nil, err
	}
	config := dev.ServerConfig("")
	if o.config != "" {
		if config, err = os.ReadFile(o.config); err != nil {
			return nil, fmt.Errorf("read machine config: %w", err)
		}
	}
	if o.spec.Board == machine.RaspberryPi3B {
		if err := dev.SetArguments(machine.RaspberryPiArguments); err != nil {
			return nil, err
		}
	}
	return dev, dev.Configure(config)
}

// untilReady waits for the node and fetches its kubeconfig, when there is a network to fetch it over.
func untilReady(ctx context.Context, o runOptions, dev *device.Device, m *machine.Machine) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not Ready after %s", o.timeout))
	defer cancel()
	if _, err := m.Console.WaitMilestone(ctx, "node-ready"); err != nil {
		return err
	}
	if o.spec.Network != machine.NAT || o.config != "" {
		return nil
	}
	kubeconfig, err := dev.Kubeconfig(ctx, m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.dir, kubeconfigName), kubeconfig, 0o600)
}

// printUse tells what one can do with the machine now.
func printUse(o runOptions, m *machine.Machine) {
	fmt.Println()
	if o.spec.Network == machine.NAT && o.config == "" {
		fmt.Printf("  kubectl:      %s --kubeconfig %s get pods -A\n", kubectl(filepath.Dir(o.image)), filepath.Join(o.dir, kubeconfigName))
	}
	if o.spec.Network == machine.NAT {
		fmt.Printf("  machine API:  https://%s\n", m.Address(device.APIPort))
	}
	for _, port := range o.spec.Forward {
		fmt.Printf("  port %-7d  %s\n", port, m.Address(port))
	}
	fmt.Printf("  logs:         %s, %s\n", filepath.Join(o.dir, machine.ConsoleName), filepath.Join(o.dir, machine.ServicesName))
	if o.detach {
		fmt.Printf("  stop:         make stop, or: go run ./tools/vm stop --dir %s\n", o.dir)
	} else {
		fmt.Printf("  stop:         Ctrl-C\n")
	}
	fmt.Println()
}

// kubectl is what to call it by from the current folder.
func kubectl(out string) string {
	path, err := device.Kubectl(out)
	if err != nil {
		return "kubectl"
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// stay keeps the machine running until the person ends it, or it ends.
func stay(ctx context.Context, m *machine.Machine) error {
	for failed := m.Console.Failed(); ctx.Err() == nil; {
		select {
		case <-failed:
			failed = nil
			why := m.Console.Err()
			if fault := m.EmulatorFault(0); fault != nil {
				why = fault
			}
			if m.Err() == nil {
				fmt.Printf("%v\nthe machine restarts by itself; what it prints is in %s\n", why, machine.ConsoleName) // the kernel's argument panic=10
			}
		case <-m.Ended():
			if errors.Is(m.Err(), machine.ErrPoweredOff) {
				return nil
			}
			fmt.Fprint(os.Stderr, m.Report())
			return m.Err()
		case <-ctx.Done():
		}
	}
	again, cancel := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	again, cancelWait := context.WithTimeout(again, shutdownWait)
	defer cancelWait()
	fmt.Println("\nshutting down; Ctrl-C once more pulls the plug")
	began := time.Now()
	if err := m.PowerOff(again); err != nil {
		m.PullPlug()
		return err
	}
	fmt.Printf("the machine shut down in %.1f s\n", time.Since(began).Seconds())
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

const diskSize = 8 << 30

// measureCoracle boots the image with 2 GiB, then with 512 MiB, and leaves the smaller machine idle.
func (r *report) measureCoracle(ctx context.Context, o options) error {
	sizes, err := measureSizes(o.image)
	if err != nil {
		return err
	}
	large, err := repeated(func() (result, error) { return bootCoracle(ctx, o, 2048, 0) })
	if err != nil {
		return err
	}
	small, err := repeated(func() (result, error) { return bootCoracle(ctx, o, 512, o.idle) })
	if err != nil {
		return err
	}
	fmt.Printf("512 MiB machine: %s\n", small.times)
	r.Arch, r.Bytes = o.arch, sizes
	r.Seconds = large.times
	r.Memory = memory{Used512: mebibytes(small.settled.Used()), Used2048: mebibytes(large.settled.Used()), Processes: small.processes()}
	r.IdleWrite = small.idleWrite
	return nil
}

func bootCoracle(ctx context.Context, o options, memory int, idle time.Duration) (result, error) {
	dir, err := o.tempDir()
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	dev, err := device.Flash(dir, o.image, diskSize)
	if err != nil {
		return result{}, err
	}
	if err := dev.Configure(dev.ServerConfig("")); err != nil {
		return result{}, err
	}
	volume, err := imageVolume(dir, o.busybox)
	if err != nil {
		return result{}, err
	}
	fmt.Printf("== Coracle, %d MiB, %d CPUs\n", memory, o.cpus)
	m, err := dev.Boot(ctx, machine.Spec{
		Arch: o.arch, Memory: memory, CPUs: o.cpus, Firmware: machine.UEFI, Network: machine.NAT,
		Disks: []machine.Disk{{Path: volume, ReadOnly: true}},
	})
	if err != nil {
		return result{}, err
	}
	defer m.PullPlug()
	connect := func(ctx context.Context) (*cluster, error) {
		kubeconfig, err := dev.Kubeconfig(ctx, m)
		if err != nil {
			return nil, err
		}
		return newCluster(kubeconfig)
	}
	r, err := measure(ctx, m, connect, 1, o, idle) // CoreDNS
	if err != nil || idle == 0 {
		return r, err
	}
	return r, saveHeapProfile(ctx, connect, filepath.Join(filepath.Dir(o.out), "bench-heap.pprof"))
}

// saveHeapProfile keeps where kube's memory was allocated: `go tool pprof FILE`.
func saveHeapProfile(ctx context.Context, connect func(context.Context) (*cluster, error), file string) error {
	c, err := connect(ctx)
	if err != nil {
		return err
	}
	profile, err := c.heapProfile(ctx)
	if err != nil {
		return fmt.Errorf("take a heap profile: %w", err)
	}
	return os.WriteFile(file, profile, 0o644)
}

// imageVolume makes the volume from which a machine imports the pod's container image.
func imageVolume(dir, busybox string) (string, error) {
	volume := filepath.Join(dir, "images.img")
	return volume, disk.Volume(volume, []disk.File{{Name: "images/busybox.tar", Path: busybox}})
}

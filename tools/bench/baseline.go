package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// baselineMemory is what the baseline needs to become Ready at all, in MiB.
const baselineMemory = 2048

// baselineKubeconfig reaches the baseline's apiserver, which knows no certificates (tools/bench/baseline/init).
const baselineKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: baseline}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

// measureBaseline boots the baseline's image. It is measured by the same code as Coracle.
func (r *report) measureBaseline(ctx context.Context, o options) error {
	b, err := repeated(func() (result, error) { return bootBaseline(ctx, o) })
	if err != nil {
		return err
	}
	r.Arch = o.arch
	r.Baseline = baseline{PodRunning: b.times.PodRunning, Memory: mebibytes(b.settled.Used()), IdleWrite: b.idleWrite}
	fmt.Printf("baseline: %s\n", b.times)
	return nil
}

func bootBaseline(ctx context.Context, o options) (result, error) {
	dir, err := o.tempDir()
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	boot, data := filepath.Join(dir, machine.DiskName), filepath.Join(dir, "data.img")
	if err := disk.Copy(boot, o.baselineImage, 0); err != nil {
		return result{}, fmt.Errorf("%w; `make bench-baseline` builds it", err)
	}
	if err := disk.Empty(data, diskSize); err != nil {
		return result{}, err
	}
	volume, err := imageVolume(dir, o.busybox)
	if err != nil {
		return result{}, err
	}
	fmt.Printf("== baseline, %d MiB, %d CPUs\n", baselineMemory, o.cpus)
	m, err := machine.Start(ctx, machine.Spec{
		Dir: dir, Memory: baselineMemory, CPUs: o.cpus, Firmware: machine.UEFI,
		Network: machine.NAT, Forward: []int{device.KubernetesPort},
		Disks: []machine.Disk{{Path: boot}, {Path: data}, {Path: volume, ReadOnly: true}},
	})
	if err != nil {
		return result{}, err
	}
	defer m.PullPlug()
	kubeconfig := fmt.Appendf(nil, baselineKubeconfig, m.Address(device.KubernetesPort))
	connect := func(context.Context) (*cluster, error) { return newCluster(kubeconfig) }
	return measure(ctx, m, connect, 0, o, o.idle)
}

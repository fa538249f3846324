// Package device is Coracle on a virtual machine, with what its owner has: a disk that was flashed, the config that was put
// on it, and the key that opens its API.
package device

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TCP ports of a machine.
const (
	KubernetesPort = 6443
	APIPort        = 50000
)

// keyName is the operator's private key in the machine's folder.
const keyName = "operator.key"

// Device is a machine's folder with a flashed disk in it.
type Device struct {
	Dir string
	Key ed25519.PrivateKey // admin of the machine, once it runs on a config of ServerConfig
}

// Flash copies image to a disk of size bytes in dir, as one writes it to a drive or card. A key from before is kept.
func Flash(dir, image string, size int64) (*Device, error) {
	switch pid, err := machine.Running(dir); {
	case err != nil:
		return nil, err
	case pid != 0:
		return nil, fmt.Errorf("a machine already runs in %s (process %d)", dir, pid)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the machine's folder: %w", err)
	}
	if err := disk.Copy(filepath.Join(dir, machine.DiskName), image, size); err != nil {
		return nil, err
	}
	return Open(dir)
}

// Open takes up the device in dir that was flashed before.
func Open(dir string) (*Device, error) {
	d := &Device{Dir: dir}
	if _, err := os.Stat(d.Disk()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no disk of an earlier machine", dir)
	}
	var err error
	d.Key, err = keys.LoadOrCreate(filepath.Join(dir, keyName))
	return d, err
}

// Disk is the path of the device's disk.
func (d *Device) Disk() string { return filepath.Join(d.Dir, machine.DiskName) }

// KeyPath is the file of the operator's private key.
func (d *Device) KeyPath() string { return filepath.Join(d.Dir, keyName) }

// Configure puts a machine config on the device's BOOT partition, to be read at the next boot.
func (d *Device) Configure(config []byte) error {
	return disk.WriteBootFile(d.Disk(), disk.ConfigName, config)
}

// SetArguments has the boot loader add kernel arguments.
func (d *Device) SetArguments(arguments string) error {
	return disk.WriteBootFile(d.Disk(), "coracle/custom.cfg", fmt.Appendf(nil, "set arguments=\"%s\"\n", arguments))
}

// ServerConfig is the config of a single server that the device's key administers and whose logs the host can read. more is
// YAML for the section machine, indented by two spaces; it may be empty.
func (d *Device) ServerConfig(more string) []byte {
	return fmt.Appendf(nil, `apiVersion: coracle/v1alpha1
kind: MachineConfig
machine:
  role: server
  api:
    keys:
      - {name: vm, role: admin, key: %q}
  logs:
    device: %s
%s`, keys.Public(d.Key), machine.ServicesDevice, more)
}

// Boot switches the device on. Of spec, the folder and the first disk are filled in, and with network NAT the ports of the
// two APIs are forwarded.
func (d *Device) Boot(ctx context.Context, spec machine.Spec) (*machine.Machine, error) {
	spec.Dir = d.Dir
	spec.Disks = append([]machine.Disk{{Path: d.Disk()}}, spec.Disks...)
	if spec.Network == machine.NAT {
		spec.Forward = append([]int{KubernetesPort, APIPort}, spec.Forward...)
	}
	return machine.Start(ctx, spec)
}

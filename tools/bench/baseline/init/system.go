package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The disks beside the one that was booted: an empty one for /var, and a volume with container images.
const (
	dataDisk  = "/dev/vdb"
	mediaDisk = "/dev/vdc"
	mediaDir  = "/run/media"
)

func makeData() error {
	if out, err := exec.Command("/usr/sbin/mkfs.ext4", "-q", dataDisk).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4 %s: %w: %s", dataDisk, err, out)
	}
	if err := unix.Mount(dataDisk, "/var", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount /var: %w", err)
	}
	for _, dir := range []string{"/var/lib/kine", "/var/log", mediaDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(mediaDisk, mediaDir, "vfat", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount the volume with container images: %w", err)
	}
	return nil
}

// configureNetwork sets the address that QEMU's user network expects, without waiting for a DHCP server.
func configureNetwork() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(nodeIP + "/24")
	if err != nil {
		return err
	}
	for _, do := range []func() error{
		func() error { return netlink.LinkSetUp(lo) },
		func() error { return netlink.LinkSetUp(eth) },
		func() error { return netlink.AddrAdd(eth, addr) },
		func() error {
			return netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: net.ParseIP("10.0.2.2")})
		},
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// importImages is what the operator of such a machine does without a registry.
func importImages() error {
	var archives []string
	for _, pattern := range []string{"/usr/share/coracle/images/*.tar", mediaDir + "/images/*.tar"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		archives = append(archives, found...)
	}
	for _, archive := range archives {
		out, err := exec.Command("/usr/bin/ctr", "-n", "k8s.io", "images", "import", archive).CombinedOutput()
		if err != nil {
			return fmt.Errorf("import %s: %w: %s", archive, err, out)
		}
	}
	return nil
}

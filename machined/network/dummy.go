package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// EnsureDummy makes a virtual interface that is always up and has the address, for a machine that no network gives
// one. It may be called again.
func EnsureDummy(name string, a netip.Addr) error {
	device, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		err = netlink.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}})
		if errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("make interface %s: the kernel module dummy is not loaded", name)
		}
		if err == nil {
			device, err = netlink.LinkByName(name)
		}
	}
	if err != nil {
		return fmt.Errorf("make interface %s: %w", name, err)
	}
	p := netip.PrefixFrom(a, a.BitLen())
	if err := netlink.AddrReplace(device, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
		return fmt.Errorf("add address %s to %s: %w", p, name, err)
	}
	return bringUp(name)
}

// RemoveDummy takes the interface away again, if it is there.
func RemoveDummy(name string) error {
	device, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(device)
	}
	if err != nil {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	return nil
}

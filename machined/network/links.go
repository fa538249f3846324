package network

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/config/types"
)

// classNet is where the kernel shows interfaces.
const classNet = "/sys/class/net"

// links lists the network interfaces in the order of their making.
func links() ([]link, error) {
	found, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	names := map[int]string{}
	for _, f := range found {
		names[f.Attrs().Index] = f.Attrs().Name
	}
	all := make([]link, 0, len(found))
	for _, f := range found {
		all = append(all, describe(f, names))
	}
	slices.SortFunc(all, func(a, b link) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}

// describe reads what is of interest of f. names are those of all interfaces, by index.
func describe(f netlink.Link, names map[int]string) link {
	a := f.Attrs()
	l := link{
		Index: a.Index, Name: a.Name, MAC: a.HardwareAddr.String(), MTU: a.MTU, Mark: int(a.Group), Master: a.MasterIndex,
		Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, Loopback: a.RawFlags&unix.IFF_LOOPBACK != 0,
	}
	dir := filepath.Join(classNet, a.Name)
	if driver, err := os.Readlink(filepath.Join(dir, "device/driver")); err == nil {
		l.Driver = filepath.Base(driver)
	}
	physical := a.EncapType == "ether" && exists(filepath.Join(dir, "device"))
	l.Wireless = exists(filepath.Join(dir, "phy80211"))
	l.Wired = physical && !l.Wireless
	switch f := f.(type) {
	case *netlink.Vlan:
		l.Shape = shape{Kind: "vlan", Parent: names[a.ParentIndex], ID: f.VlanId}
	case *netlink.Bond:
		l.Shape = bondShape(f.Mode.String(), f.LacpRate.String(), f.XmitHashPolicy.String(), f.Miimon)
		l.Primary = names[f.Primary]
	case *netlink.Bridge:
		l.Shape = shape{Kind: "bridge"}
		text, _ := os.ReadFile(filepath.Join(dir, "bridge/stp_state"))
		l.STP = strings.TrimSpace(string(text)) != "0"
	}
	return l
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func bringUp(name string) error {
	if err := netlink.LinkSetUp(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// carryOut does the step.
func (s linkStep) carryOut() error {
	if err := s.perform(); err != nil {
		return fmt.Errorf("%s %s: %w", s.Do, s.Name, err)
	}
	return nil
}

func (s linkStep) perform() error {
	if s.Do == makeLink {
		return s.make()
	}
	l, err := netlink.LinkByName(s.Name)
	if s.Do == removeLink && errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // a VLAN goes with its parent
	}
	if err != nil {
		return err
	}
	switch s.Do {
	case removeLink:
		return netlink.LinkDel(l)
	case attach:
		return s.attach(l)
	case detach:
		if l.Attrs().MasterIndex != 0 {
			err = netlink.LinkSetNoMaster(l)
		}
		if l.Attrs().Group == memberMark {
			err = errors.Join(err, netlink.LinkSetGroup(l, 0))
		}
		return errors.Join(err, sysctl{"ipv6/conf/" + s.Name + "/disable_ipv6", "0"}.apply())
	case setMTU:
		return netlink.LinkSetMTU(l, s.MTU)
	case setUp:
		return netlink.LinkSetUp(l)
	case setSTP:
		value := "0"
		if s.Want.Bridge.STP {
			value = "1"
		}
		return os.WriteFile(filepath.Join(classNet, s.Name, "bridge/stp_state"), []byte(value), 0)
	case setPrimary:
		return os.WriteFile(filepath.Join(classNet, s.Name, "bonding/primary"), []byte(s.Other+"\n"), 0)
	}
	return fmt.Errorf("no such step: %q", s.Do)
}

// attach makes l a member. It has no addresses then, IPv6's link-local one among them.
func (s linkStep) attach(l netlink.Link) error {
	master, err := netlink.LinkByName(s.Other)
	if err != nil {
		return err
	}
	if l.Attrs().Group == 0 {
		if err := netlink.LinkSetGroup(l, memberMark); err != nil {
			return err
		}
	}
	if err := (sysctl{"ipv6/conf/" + s.Name + "/disable_ipv6", "1"}).apply(); err != nil {
		return err
	}
	if s.Down {
		if err := netlink.LinkSetDown(l); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetMaster(l, master); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// make makes the interface. The kernel loads the module that it needs for that.
func (s linkStep) make() error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.Group = s.Name, madeMark
	if s.Other != "" {
		member, err := netlink.LinkByName(s.Other)
		if err != nil {
			return err
		}
		attributes.HardwareAddr = ownMAC(member.Attrs())
	}
	device, err := s.device(attributes)
	if err == nil {
		err = netlink.LinkAdd(device)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil // the next look finds what is there: perhaps the bond that came with the kernel's module
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel has no module for interfaces of kind %s: %w", shapeOf(s.Want).Kind, err)
	}
	return err
}

// ownMAC is the MAC address of the hardware: a bond's members have the bond's while they are in it.
func ownMAC(a *netlink.LinkAttrs) net.HardwareAddr {
	if len(a.PermHWAddr) == 6 {
		return a.PermHWAddr
	}
	return a.HardwareAddr
}

func (s linkStep) device(a netlink.LinkAttrs) (netlink.Link, error) {
	switch c := s.Want; {
	case c.VLAN != nil:
		parent, err := netlink.LinkByName(c.VLAN.Parent)
		if err != nil {
			return nil, err
		}
		a.ParentIndex = parent.Attrs().Index
		return &netlink.Vlan{LinkAttrs: a, VlanId: c.VLAN.ID, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}, nil
	case c.Bond != nil:
		return bond(c.Bond, a), nil
	default:
		return &netlink.Bridge{LinkAttrs: a}, nil
	}
}

func bond(c *types.Bond, a netlink.LinkAttrs) *netlink.Bond {
	want := bondShape(c.Mode, c.LACPRate, c.HashPolicy, c.MIIMon)
	b := netlink.NewLinkBond(a)
	b.Mode, b.Miimon = netlink.StringToBondMode(want.Mode), want.MIIMon
	if want.LACPRate != "" {
		b.LacpRate = netlink.StringToBondLacpRate(want.LACPRate)
	}
	if want.HashPolicy != "" {
		b.XmitHashPolicy = netlink.StringToBondXmitHashPolicy(want.HashPolicy)
	}
	return b
}

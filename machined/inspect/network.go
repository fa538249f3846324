package inspect

import (
	"path"
	"slices"
	"strings"
)

// Network is how the machine is connected.
type Network struct {
	Interfaces  []Interface
	Routes      []Route
	Nameservers []string
	Search      []string
}

// Interface is a network interface of the machine's own network namespace.
type Interface struct {
	Name, Kind, MAC, Driver     string
	Up, Carrier                 bool
	MTU                         int
	Addresses                   []string // with prefix length
	Received, Sent              uint64   // bytes
	ReceiveErrors, SendErrors   uint64
	ReceiveDropped, SendDropped uint64
}

// Route is a route of the main table.
type Route struct {
	Destination, Gateway, Interface string
	Metric                          int
	Source, Protocol                string
}

// driver of an interface; empty when the kernel made it itself.
func (s System) driver(name string) string {
	return property(s.uevent(path.Join("class/net", name, "device/uevent")), "DRIVER")
}

func (s System) uevent(name string) string {
	text, err := readAtMost(s.Sys, name, 4096)
	if err != nil {
		return ""
	}
	return text
}

// protocols of routes, as iproute2 names them (/etc/iproute2/rt_protos). DHCP's are Coracle's own too.
var protocols = map[int]string{0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp", 18: "keepalived", 186: "bgp", 188: "ospf"}

// resolver reads the nameservers and search domains in resolv.conf(5).
func (s System) resolver() (nameservers, search []string) {
	text, err := readAtMost(s.Etc, "resolv.conf", 64<<10)
	if err != nil {
		return nil, nil
	}
	return parseResolvConf(text)
}

func parseResolvConf(text string) (nameservers, search []string) {
	for l := range strings.Lines(text) {
		f := strings.Fields(valid(l))
		switch {
		case len(f) < 2:
		case f[0] == "nameserver":
			nameservers = append(nameservers, f[1])
		case f[0] == "search":
			search = slices.Clone(f[1:]) // the last line counts
		}
	}
	return nameservers, search
}

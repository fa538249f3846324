// Package devices lets pods use devices of the machine without privilege. It is a device plugin, in the kube process: a pod asks
// for a resource such as coracle.dev/serial, the scheduler finds a node that has one left, and the kubelet learns here which nodes
// of /dev the container is to have.
//
// A resource is registered with the kubelet once the machine has a device of it, and again whenever the kubelet starts anew. What is
// plugged in and pulled out is seen by inotify on /dev. Where there are no devices, all of it is one inotify instance that is silent.
package devices

import (
	"fmt"
	"path"
	"slices"
)

// Domain is that of the resources' names.
const Domain = "coracle.dev"

// Resource is what pods ask for by one name.
type Resource struct {
	Name   string   // below [Domain]
	Nodes  []string // below /dev, patterns of [path.Match]
	Except []string // of Nodes: containers get them, and they do not count
	// Folder of /dev that containers get in place of the nodes, if it is set: what there is of Nodes at each of their starts. The nodes
	// of others are remembered by the kubelet for as long as the pod lives.
	Folder string
	Disks  bool // Nodes may be those of disks: the ones that are mounted are kept back
	// Shares is how many containers may have the devices at the same time; each of them has all nodes. 0: each node is a device of
	// its own, and one container's only.
	Shares int
}

// shares is how many containers may have devices that can be shared. No hardware sets a limit, but Kubernetes needs a number.
const shares = 20

// Resources are what pods can ask for.
//
// Most are shared, and as a whole. A pod needs a certain chip, bus or camera, the one that its sensor is wired to, and Kubernetes
// would choose any; one in a set of equals is of use to nobody. Sharing is safe where the kernel arbitrates: a GPIO line has one owner,
// transfers on I²C and SPI are atomic, an interface of USB is claimed, one program streams from a camera. A serial port has no
// arbiter: of two readers each would have half of the bytes.
//
// ttyS and ttyAMA are not among the serial ports. One of them is the machine's console, and ttyS exist without hardware.
var Resources = []Resource{
	{Name: "gpio", Nodes: []string{"gpiochip*"}, Shares: shares},
	{Name: "i2c", Nodes: []string{"i2c-*"}, Shares: shares},
	{Name: "spi", Nodes: []string{"spidev*"}, Shares: shares},
	{Name: "serial", Nodes: []string{"ttyUSB*", "ttyACM*"}},
	// A device gets another number whenever it is plugged in. 001 is a bus' root hub, which is always there, so it does not count.
	{Name: "usb", Nodes: []string{"bus/usb/*/*"}, Except: []string{"bus/usb/*/001"}, Folder: "bus/usb", Disks: true, Shares: shares},
	// A camera is several nodes: for pictures, for what belongs to them, and for how its parts are connected.
	{Name: "video", Nodes: []string{"video*", "media*"}, Shares: shares},
	{Name: "render", Nodes: []string{"dri/renderD*"}, Shares: shares}, // without card*, which is the screen
}

// FullName is the resource's name in pods.
func (r Resource) FullName() string { return Domain + "/" + r.Name }

// has is whether a node, by its name below /dev, is of the resource.
func (r Resource) has(node string) bool { return matches(r.Nodes, node) && !matches(r.Except, node) }

// counted are those of nodes that count; nodes is not used any more after it.
func (r Resource) counted(nodes []string) []string {
	return slices.DeleteFunc(nodes, func(node string) bool { return !r.has(node) })
}

// devices are the IDs of what the kubelet can give away, while the machine has these nodes.
func (r Resource) devices(nodes []string) []string {
	if r.Shares == 0 {
		return nodes
	}
	var ids []string
	if len(nodes) > 0 {
		for i := range r.Shares {
			ids = append(ids, fmt.Sprintf("%s-%d", r.Name, i))
		}
	}
	return ids
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name) // a test looks at the patterns
		return ok
	})
}

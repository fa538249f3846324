package machine

import (
	"fmt"
	"net"
)

// Cable is one end of a network cable between two machines: a further interface, connected with that of another machine and with
// nothing else. It is made of UDP packets on the host's loopback interface, so either machine may be off while the other is on.
type Cable struct {
	MAC           string // of the interface
	Local, Remote int    // UDP ports on 127.0.0.1: of this end, and of the other
}

// NewCable finds what the two ends of a cable need. Another process could take a port before QEMU does; QEMU then ends and says so.
func NewCable() (a, b Cable, err error) {
	var ports [2]int
	for i := range ports {
		// Held until both are found, so that none is found twice.
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return a, b, fmt.Errorf("find a free port: %w", err)
		}
		defer c.Close()
		ports[i] = c.LocalAddr().(*net.UDPAddr).Port
	}
	return Cable{"52:54:00:c0:ac:f0", ports[0], ports[1]}, Cable{"52:54:00:c0:ac:f1", ports[1], ports[0]}, nil
}

func (c *Cable) arguments() []string {
	if c == nil {
		return nil
	}
	return []string{
		"-netdev", fmt.Sprintf("socket,id=cable,udp=127.0.0.1:%d,localaddr=127.0.0.1:%d", c.Remote, c.Local),
		"-device", "virtio-net-pci,netdev=cable,romfile=,mac=" + c.MAC,
	}
}

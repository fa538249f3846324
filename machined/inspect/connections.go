package inspect

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// maxConnections bounds the list, and maxDescriptors how many open files are looked at to find whose they are.
const (
	maxConnections = 10000
	maxDescriptors = 100000
)

// Connection is a socket of the machine's own network namespace.
type Connection struct {
	Protocol      string // tcp, tcp6, udp, udp6
	Local, Remote netip.AddrPort
	State         string // LISTEN, ESTABLISHED, …; of UDP: empty
	PID           int    // 0: not known
	Command       string
	inode         string
}

// listening is the state of a TCP socket that waits for callers.
const listening = "LISTEN"

// Connections lists sockets; only those that listen, and UDP sockets without a peer, when listeningOnly.
func (s System) Connections(listeningOnly bool) ([]Connection, error) {
	var list []Connection
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := read(s.Proc, "self/net/"+protocol)
		if gone(err) {
			continue // without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		for _, c := range parseSockets(protocol, text) {
			waits := c.State == listening || c.State == "" && c.Remote.Port() == 0
			if (!listeningOnly || waits) && len(list) < maxConnections {
				list = append(list, c)
			}
		}
	}
	owners := s.owners()
	for i, c := range list {
		if o, known := owners[c.inode]; known && c.inode != "0" {
			list[i].PID, list[i].Command = o.pid, o.command
		}
	}
	return list, nil
}

type owner struct {
	pid     int
	command string
}

// owners finds the processes that have sockets open, by the socket's inode.
func (s System) owners() map[string]owner {
	m := map[string]owner{}
	left := maxDescriptors
	processes, _ := fs.ReadDir(s.Proc, ".")
	for _, p := range processes {
		pid, err := strconv.ParseUint(p.Name(), 10, 31)
		if err != nil {
			continue
		}
		descriptors, _ := fs.ReadDir(s.Proc, p.Name()+"/fd")
		command := ""
		for _, d := range descriptors {
			if left--; left < 0 {
				return m
			}
			target, err := fs.ReadLink(s.Proc, p.Name()+"/fd/"+d.Name())
			inode, socket := strings.CutPrefix(target, "socket:[")
			if err != nil || !socket {
				continue
			}
			if command == "" {
				command = line(s.Proc, p.Name()+"/comm")
			}
			m[strings.TrimSuffix(inode, "]")] = owner{int(pid), command}
		}
	}
	return m
}

// states of a TCP socket (include/net/tcp_states.h).
var states = map[string]string{
	"01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "06": "TIME_WAIT",
	"07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": listening, "0B": "CLOSING", "0C": "NEW_SYN_RECV",
}

// parseSockets reads /proc/net/tcp and the like (proc_pid_net(5)). Lines that are none are left out.
func parseSockets(protocol, text string) []Connection {
	var list []Connection
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		if len(f) < 10 || len(list) == maxConnections {
			continue
		}
		local, ok1 := parseAddress(f[1])
		remote, ok2 := parseAddress(f[2])
		if !ok1 || !ok2 {
			continue // the heading
		}
		c := Connection{Protocol: protocol, Local: local, Remote: remote, inode: f[9]}
		if strings.HasPrefix(protocol, "tcp") {
			c.State = states[f[3]]
		}
		list = append(list, c)
	}
	return list
}

// parseAddress reads an address and port in hex. The address is in 32-bit words of the machine's byte order, which is
// little-endian on every architecture of Coracle.
func parseAddress(s string) (netip.AddrPort, bool) {
	host, port, found := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || portErr != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(n)), true
}

package console

import (
	"fmt"
	"net/netip"
	"strings"

	"rsc.io/qr"

	"github.com/coracle-os/coracle/machined/state"
)

// awaitsConfig is whether the machine is reachable and has no config: then the screen says how to give it one.
func awaitsConfig(m state.Machine) bool {
	return m.Config.Source == "" && m.ShuttingDown == "" && m.API.Fingerprint != "" && reachedAt(m) != ""
}

// reachedAt is where the machine's API is reached; empty: nowhere yet. IPv4 is what people type.
func reachedAt(m state.Machine) string {
	at := ""
	for _, a := range m.Addresses {
		prefix, err := netip.ParsePrefix(a.Prefix)
		switch {
		case err != nil:
		case prefix.Addr().Is4():
			return port(prefix.Addr(), m.API.Port)
		case at == "":
			at = port(prefix.Addr(), m.API.Port)
		}
	}
	return at
}

// defaultPort need not be said to coraclectl.
const defaultPort = 50000

func port(a netip.Addr, port int) string {
	if port == defaultPort {
		return a.String()
	}
	return netip.AddrPortFrom(a, uint16(port)).String()
}

// maintenance draws the screen of a machine that awaits its config: what is needed to reach it, and at the right the command
// that does, as a QR code.
func (s *screen) maintenance(m state.Machine) {
	command := fmt.Sprintf("coraclectl -n %s --fingerprint %s apply -f machine.yaml", reachedAt(m), m.API.Fingerprint)
	code := quickResponse(command, Rows-len(s.lines))
	width := Columns
	if len(code) > 0 {
		width -= len([]rune(code[0])) + 1
	}
	top := len(s.lines)
	s.fieldIn(width, "Machine", machine(m))
	s.fieldIn(width, "Addresses", addresses(m.Addresses))
	s.fieldIn(width, "API", api(m.API))
	s.add(plain, "")
	s.conditions(m, width)
	for i, modules := range code {
		if top+i == len(s.lines) {
			s.add(plain, "")
		}
		s.lines[top+i].right = modules
	}
}

// quickResponse is a QR code of text in lines of half blocks, light on a dark screen; nil when it has more than so many lines.
// One module of quiet around it, beside which the screen is dark, is enough for phones (ISO/IEC 18004 asks for four).
func quickResponse(text string, lines int) []string {
	const quiet = 1
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	light := func(x, y int) bool { return !code.Black(x-quiet, y-quiet) } // outside the code too
	size := code.Size + 2*quiet
	if (size+1)/2 > lines {
		return nil
	}
	var drawn []string
	for y := 0; y < size; y += 2 {
		var b strings.Builder
		for x := range size {
			top, bottom := light(x, y), y+1 < size && light(x, y+1)
			b.WriteRune([]rune{' ', '▄', '▀', '█'}[bit(top)<<1|bit(bottom)])
		}
		drawn = append(drawn, b.String())
	}
	return drawn
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Package console shows the machine's state to who stands before it: a screen on the first virtual terminal, and
// lines on every console when something changes.
package console

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

// The screen of a PC without graphics driver. One line and one column stay free, so that nothing scrolls.
const (
	Columns = 79
	Rows    = 24
)

// labelWidth is the column where values start.
const labelWidth = 13

// style of a line.
type style int

const (
	plain style = iota
	title
	good
	warning
	bad
)

// colours are the escape sequences of the styles (ECMA-48 SGR).
var colours = map[style]string{title: "\x1b[1m", good: "\x1b[32m", warning: "\x1b[33m", bad: "\x1b[1;31m"}

type line struct {
	style style
	text  string
	right string // at the end of the screen's line, as it is; for a QR code
}

// Render draws the state as at most Rows lines of at most Columns columns of ASCII, each ended by a newline. colour adds
// escape sequences, which take no columns.
func Render(m state.Machine, now time.Time, colour bool) string {
	var s screen
	s.add(title, spread("Coracle "+m.Version, m.Name))
	s.add(plain, strings.Repeat("-", Columns))
	if awaitsConfig(m) {
		s.maintenance(m)
		return s.String(colour)
	}
	s.field("Machine", machine(m)+board(m.Board))
	s.field("Addresses", addresses(m.Addresses))
	s.field("API", api(m.API))
	style, text := kubernetes(m)
	s.styled(Columns, style, "Kubernetes", text)
	if left := m.Upgrade.TrialUntil.Sub(now); !m.Upgrade.TrialUntil.IsZero() {
		s.styled(Columns, warning, "Upgrade", fmt.Sprintf("version %s is on trial, %d s left", m.Version, max(0, int(left.Seconds()))))
	}
	if m.Install.Step != "" {
		s.styled(Columns, warning, "Install", install(m.Install))
	}
	s.field("Time", clock(m.Time, now))
	s.field("DATA", disk(m.Data))
	s.field("Memory", memory(m.Memory))
	s.add(plain, "")
	s.conditions(m, Columns)
	return s.String(colour)
}

// screen collects lines.
type screen struct{ lines []line }

func (s *screen) add(st style, text string) {
	s.lines = append(s.lines, line{style: st, text: text})
}

func (s *screen) field(label, value string) { s.styled(Columns, plain, label, value) }

func (s *screen) fieldIn(width int, label, value string) { s.styled(width, plain, label, value) }

func (s *screen) styled(width int, st style, label, value string) {
	for i, text := range wrap(value, width-labelWidth) {
		if i > 0 {
			label = ""
		}
		s.add(st, fmt.Sprintf("%-*s%s", labelWidth, label, text))
	}
}

// marks stand before conditions.
var marks = map[state.Severity]struct {
	style style
	mark  string
}{state.Error: {bad, "!! "}, state.Warning: {warning, "!  "}, state.Info: {plain, "i  "}}

// conditions fills the rest of the screen, as wide as said, with what is wrong, the worst first.
func (s *screen) conditions(m state.Machine, width int) {
	switch {
	case m.ShuttingDown != "":
		s.add(title, "The machine is going down ("+m.ShuttingDown+"). Pods are stopped first.")
		return
	case len(m.Conditions) == 0 && m.Kube.Phase != state.Off:
		s.add(good, "Nothing is wrong.")
	}
	for i, c := range m.Conditions {
		var block []line
		for j, text := range wrap(c.Message, width-3) {
			mark := marks[c.Severity].mark
			if j > 0 {
				mark = "   "
			}
			block = append(block, line{style: marks[c.Severity].style, text: mark + text})
		}
		if c.Hint != "" {
			for j, text := range wrap(c.Hint, width-6) {
				arrow := "   -> "
				if j > 0 {
					arrow = "      "
				}
				block = append(block, line{style: plain, text: arrow + text})
			}
		}
		room := Rows - 1 - len(s.lines) // the last line is for what is left out
		if len(block) > room {
			if i > 0 || room <= 1 {
				s.add(plain, fmt.Sprintf("   and %d more; coraclectl status has all", len(m.Conditions)-i))
				return
			}
			block = append(block[:room-1], line{style: plain, text: "   ..."})
		}
		s.lines = append(s.lines, block...)
	}
}

// String puts the lines together.
func (s *screen) String(colour bool) string {
	var b strings.Builder
	for _, l := range s.lines[:min(len(s.lines), Rows)] {
		text := ascii(strings.TrimRight(l.text, " "))
		text = text[:min(len(text), Columns)]
		end := ""
		if l.right != "" {
			room := Columns - utf8.RuneCountInString(l.right)
			text = text[:min(len(text), room)]
			end = strings.Repeat(" ", room-len(text)) + l.right
		}
		if escape := colours[l.style]; colour && escape != "" {
			text = escape + text + "\x1b[0m"
		}
		b.WriteString(text + end + "\n")
	}
	return b.String()
}

func machine(m state.Machine) string {
	role := m.Role
	if role == "" {
		role = "no role yet"
	}
	slot := ""
	if m.Slot != "" {
		slot = ", slot " + m.Slot
	}
	return fmt.Sprintf("%s, %s%s", role, m.Arch, slot)
}

// board is the model of the machine, after the rest of its line. The screen of a machine without a config has no room for it.
func board(b state.Board) string {
	if b.Model == "" {
		return ""
	}
	return ", " + b.Model
}

func addresses(list []state.Address) string {
	if len(list) == 0 {
		return "none"
	}
	var parts []string
	last := ""
	for _, a := range list {
		if a.Interface != last {
			parts = append(parts, a.Interface+" "+a.Prefix)
		} else {
			parts[len(parts)-1] += " " + a.Prefix
		}
		last = a.Interface
	}
	return strings.Join(parts, ", ")
}

func api(a state.API) string {
	if a.Fingerprint == "" {
		return "not yet"
	}
	return fmt.Sprintf("port %d, key %s", a.Port, a.Fingerprint)
}

func kubernetes(m state.Machine) (style, string) {
	k := m.Kube
	v := m.Kubernetes + ", "
	switch k.Phase {
	case state.Ready:
		if k.Status == nil {
			return good, v + "Ready"
		}
		return good, fmt.Sprintf("%sReady, %d of %d pods run", v, k.Status.PodsRunning, k.Status.PodsTotal)
	case state.Starting:
		return plain, v + "starting" + components(k.Status)
	case state.Waiting:
		return bad, v + "ended, is started again soon"
	case state.Stopping:
		return plain, v + "stopping"
	}
	return plain, v + "not started"
}

// components says what a kube that is not Ready is at.
func components(s *control.Status) string {
	if s == nil {
		return ""
	}
	ready, busy := 0, []string(nil)
	for _, c := range s.Components {
		switch c.State {
		case control.Ready:
			ready++
		case control.Starting, control.Failed:
			busy = append(busy, c.Name+" "+string(c.State))
		}
	}
	text := fmt.Sprintf(": %d of %d components ready", ready, len(s.Components))
	if len(busy) > 0 {
		text += " (" + strings.Join(busy, ", ") + ")"
	} else if s.APIReady && !s.NodeReady {
		text += ", the node is not yet"
	}
	return text
}

func clock(t state.Time, now time.Time) string {
	text := now.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case t.Disabled:
		return text + ", not synchronised (disabled in the config)"
	case t.Synced:
		return text + ", set by " + t.Server
	}
	return text + ", no time server has answered yet"
}

// install says how far a machine is that is to be installed on another disk.
func install(i state.Install) string {
	text := strings.TrimSpace(i.Step + " " + i.Disk)
	if i.Step != state.InstallCopies {
		return text
	}
	return fmt.Sprintf("copying to %s, %d %%", i.Disk, i.Done*100/max(1, i.Total))
}

func disk(d state.Disk) string {
	if !d.Ready {
		return "not ready"
	}
	return fmt.Sprintf("%s, %s of %s used", d.Device, size(d.Used), size(d.Total))
}

func memory(m state.Memory) string {
	if m.Total == 0 {
		return "?"
	}
	return fmt.Sprintf("%s of %s used", size(m.Total-m.Available), size(m.Total))
}

// size is a number of bytes for a person, with three digits.
func size(n uint64) string {
	value, unit := float64(n)/(1<<20), "MiB"
	if value >= 1000 {
		value, unit = value/1024, "GiB"
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

package dashboard

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/charmbracelet/x/ansi"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

const (
	inverse = "\x1b[7m"
	reset   = "\x1b[0m"
)

// draw makes the screen: a table of machines, and below it the selected one.
func (m *model) draw() string {
	p := output.Palette(m.color)
	var lines []string
	add := func(s string) { lines = append(lines, ansi.Truncate(s, m.width, "…")) }
	add(p.Bold("Coracle") + "  " + m.summary(p))
	add("")
	rows := m.rows
	if m.detail {
		rows = m.rows[m.selected : m.selected+1]
	}
	// When there are more than fit, those around the selected one are shown.
	room, first := max(1, m.height-5), 0
	if !m.detail && len(rows) > room {
		first = min(max(0, m.selected-room/2), len(rows)-room)
		rows = rows[first : first+room]
	}
	nameWidth := len("MACHINE")
	for _, r := range m.rows {
		nameWidth = max(nameWidth, len(r.Name))
	}
	add(p.Bold(fmt.Sprintf("  %-*s  %-12s %-7s %-10s %-18s %-18s %s", nameWidth, "MACHINE", "STATE", "PODS", "UP", "MEMORY", "DATA", "PROBLEMS")))
	for i, r := range rows {
		mark, line := "  ", m.line(r, nameWidth, p)
		if !m.detail && first+i == m.selected {
			mark = "> "
			if m.color {
				line = inverse + ansi.Strip(line) + reset
			}
		}
		add(mark + line)
	}
	help := "↑↓ choose   enter open   q quit"
	if m.detail {
		help = "esc back   ↑↓ other machine   l other log   q quit"
		for _, s := range m.details(m.rows[m.selected], p) {
			add(s)
		}
		add("")
		add(p.Bold("Log of " + m.log.service))
		for _, s := range m.logLines(m.height - len(lines) - 2) {
			add(s)
		}
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = lines[:max(1, m.height-1)]
	add(help)
	return strings.Join(lines, "\n")
}

// summary counts machines by how they are.
func (m *model) summary(p output.Palette) string {
	ready, silent := 0, 0
	for _, r := range m.rows {
		switch {
		case r.err != nil || r.status == nil:
			silent++
		case r.status.GetKube().GetPhase() == "ready":
			ready++
		}
	}
	text := fmt.Sprintf("%s, %d ready", output.Count(len(m.rows), "machine"), ready)
	if silent > 0 {
		text += ", " + p.Bad(fmt.Sprintf("%d not heard of", silent))
	}
	return text
}

// line is one machine.
func (m *model) line(r row, nameWidth int, p output.Palette) string {
	name := fmt.Sprintf("%-*s  ", nameWidth, output.Clean(r.Name))
	s := r.status
	switch {
	case s == nil && r.err == nil:
		return name + "asking " + r.Address
	case s == nil:
		return name + p.Bad("unreachable") + "  " + output.Clean(reason(r.err))
	}
	word, paint := State(s), p.Warn
	switch {
	case r.err != nil:
		word, paint = "unreachable", p.Bad
	case word == "ready":
		paint = p.Good
	}
	memory := s.GetMemory()
	up := ""
	if s.Started != nil {
		up = output.Span(m.now.Sub(s.Started.AsTime()))
	}
	return name + paint(fmt.Sprintf("%-12s", word)) + " " +
		fmt.Sprintf("%-7s %-10s ", fmt.Sprintf("%d/%d", s.GetKube().GetPodsRunning(), s.GetKube().GetPodsTotal()), up) +
		bar(memory.GetTotalBytes()-min(memory.GetAvailableBytes(), memory.GetTotalBytes()), memory.GetTotalBytes(), p) + " " +
		bar(s.GetData().GetUsedBytes(), s.GetData().GetTotalBytes(), p) + " " + problems(s, p)
}

// State is how a machine is doing in one word.
func State(s *machinepb.Status) string {
	switch {
	case s.GetShuttingDown() != "":
		return "stopping"
	case s.GetConfig().GetSource() == "":
		return "maintenance"
	case s.GetConfig().GetTrying() != nil:
		return "trying"
	case s.GetInstall() != nil:
		return map[string]string{"waiting": "not installed", "copying": "installing", "installed": "installed"}[s.Install.Step]
	}
	return s.GetKube().GetPhase()
}

func problems(s *machinepb.Status, p output.Palette) string {
	var list []string
	for _, c := range s.Conditions {
		switch c.Severity {
		case "error":
			list = append(list, p.Bad(output.Clean(c.Message)))
		case "warning":
			list = append(list, p.Warn(output.Clean(c.Message)))
		}
	}
	return strings.Join(list, "; ")
}

// barWidth is how many cells a whole is, of 18 with its number.
const barWidth = 12

// bar shows how much of a whole is used.
func bar(used, total uint64, p output.Palette) string {
	if total == 0 {
		return fmt.Sprintf("%-18s", "-")
	}
	part := float64(used) / float64(total)
	full := min(barWidth, int(part*barWidth+0.5))
	paint := p.Good
	switch {
	case part > 0.9:
		paint = p.Bad
	case part > 0.75:
		paint = p.Warn
	}
	return paint(strings.Repeat("█", full)) + strings.Repeat("░", barWidth-full) + fmt.Sprintf(" %4.0f%%", part*100)
}

// details say more of one machine.
func (m *model) details(r row, p output.Palette) []string {
	s := r.status
	if s == nil {
		return nil
	}
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, "  "+output.Clean(fmt.Sprintf(format, args...)))
	}
	if r.err != nil {
		add("last heard of %s ago: %v", output.Span(m.now.Sub(r.heard)), reason(r.err))
	}
	var addresses []string
	for _, a := range s.Addresses {
		addresses = append(addresses, a.Interface+" "+a.Prefix)
	}
	add("%s, Coracle %s, Kubernetes %s, %s, slot %s; %s", s.Role, s.Version, strings.TrimPrefix(s.Kubernetes, "v"), s.Arch, s.Slot, strings.Join(addresses, ", "))
	add("config: %s; memory: %s of %s available", orNone(s.GetConfig().GetSource()), output.Bytes(s.GetMemory().GetAvailableBytes()), output.Bytes(s.GetMemory().GetTotalBytes()))
	var parts []string
	for _, c := range s.GetKube().GetComponents() {
		part := c.Name + " " + c.State
		if c.State == "failed" {
			part += " (" + c.Error + ")"
		}
		parts = append(parts, part)
	}
	if parts != nil {
		add("%s", strings.Join(parts, ", "))
	}
	for _, c := range s.Conditions {
		text := c.Message
		if c.Hint != "" {
			text += " -> " + c.Hint
		}
		add("%s: %s, %s", c.Severity, text, age(m.now, c))
	}
	return lines
}

func age(now time.Time, c *machinepb.Condition) string {
	if c.Since == nil {
		return "now"
	}
	return output.Span(now.Sub(c.Since.AsTime()))
}

// reason is an error of the API without its code.
func reason(err error) string {
	if called, ok := errors.AsType[*connect.Error](err); ok {
		return called.Message()
	}
	return err.Error()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// logLines are the last that fit into so many.
func (m *model) logLines(room int) []string {
	var lines []string
	for _, s := range m.log.lines {
		lines = append(lines, output.Clean(ansi.Strip(strings.TrimRight(s, "\n"))))
	}
	switch {
	case m.log.err != nil:
		lines = append(lines, "-> "+output.Clean(reason(m.log.err)))
	case m.log.ended:
		lines = append(lines, "-> the log has ended")
	case len(lines) == 0:
		lines = append(lines, "…")
	}
	return lines[max(0, len(lines)-max(0, room)):]
}

package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/coraclectl/dashboard"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how machines are doing",
		Long:  "Shows how a machine is doing; of several, a line each. What is wrong comes with what to do about it.",
		Example: `  coraclectl -n edge-1 status
  coraclectl -n plant status -o wide`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			call := func(ctx context.Context, m *machine) (*machinepb.Status, error) {
				answer, err := unary(a, ctx, m.GetStatus, &machinepb.GetStatusRequest{})
				return answer.GetStatus(), err
			}
			return show(c.Context(), a, call, func(s *machinepb.Status) []section {
				if a.several() {
					return []section{{"", statusRow(s)}}
				}
				return statusSections(s, time.Now())
			})
		},
	}
}

// statusRow is the line of one machine.
func statusRow(s *machinepb.Status) output.Grid {
	g := output.Grid{Columns: output.Columns("STATE", "ROLE", "VERSION", "KUBERNETES+", "PODS", "MEMORY", "DATA", "SLOT+", "ADDRESS", "PROBLEMS")}
	used := s.GetMemory().GetTotalBytes() - min(s.GetMemory().GetAvailableBytes(), s.GetMemory().GetTotalBytes())
	var problems []string
	for _, c := range s.GetConditions() {
		if c.Severity != "info" {
			problems = append(problems, c.Message)
		}
	}
	address := s.GetKube().GetNodeIp()
	if address == "" && len(s.Addresses) > 0 {
		address, _, _ = strings.Cut(s.Addresses[0].Prefix, "/")
	}
	g.Add(dashboard.State(s), s.Role, s.Version, s.Kubernetes, fmt.Sprintf("%d/%d", s.GetKube().GetPodsRunning(), s.GetKube().GetPodsTotal()),
		output.Percent(used, s.GetMemory().GetTotalBytes()), output.Percent(s.GetData().GetUsedBytes(), s.GetData().GetTotalBytes()),
		s.Slot, address, strings.Join(problems, "; "))
	return g
}

// statusSections are all that there is to say of one machine at the time now.
func statusSections(s *machinepb.Status, now time.Time) []section {
	main := section{Grid: output.Grid{Columns: output.Columns("MACHINE", s.Name)}}
	add := func(name, format string, args ...any) {
		if text := strings.TrimSpace(fmt.Sprintf(format, args...)); text != "" {
			main.Add(name, text)
		}
	}
	add("state", "%s", dashboard.State(s))
	add("shutting down", "%s", s.ShuttingDown)
	add("role", "%s", s.Role)
	add("version", "%s", s.Version)
	add("kubernetes version", "%s", s.Kubernetes)
	add("architecture", "%s", s.Arch)
	add("board", "%s", s.GetBoard().GetModel())
	add("slot", "%s", s.Slot)
	c := s.GetConfig()
	add("config", "%s", first(c.GetSource(), "none"))
	if c.GetTrying() != nil {
		add("trying", "taken back in %s unless it is confirmed: coraclectl apply confirm", output.Span(c.Trying.Remaining.AsDuration()))
	}
	if c.GetStagedDigest() != "" {
		add("staged", "another config, for the next boot")
	}
	if s.Started != nil {
		add("up", "%s", output.Span(now.Sub(s.Started.AsTime())))
	}
	for _, address := range s.Addresses {
		add("address", "%s %s", address.Interface, address.Prefix)
	}
	add("fingerprint", "%s", s.Fingerprint)
	add("time", "%s", timeWord(s.GetTime()))
	if m := s.GetMemory(); m != nil {
		add("memory", "%s of %s available", output.Bytes(m.AvailableBytes), output.Bytes(m.TotalBytes))
	}
	if d := s.GetData(); d.GetReady() {
		add("data", "%s of %s used (%s), %s", output.Bytes(d.UsedBytes), output.Bytes(d.TotalBytes), output.Percent(d.UsedBytes, d.TotalBytes), d.Device)
	} else {
		add("data", "not ready")
	}
	if i := s.GetInstall(); i.GetStep() == "copying" {
		add("install", "copying to %s, %s", i.Disk, output.Percent(i.DoneBytes, i.TotalBytes))
	} else if i != nil {
		add("install", "%s", strings.TrimSpace(i.Step+" "+i.Disk))
	}
	k := s.GetKube()
	add("kubernetes", "%s", k.GetPhase())
	if k.GetPid() != 0 {
		add("node", "%s, %d of %s running", first(k.GetNodeIp(), "no address"), k.GetPodsRunning(), output.Count(int(k.GetPodsTotal()), "pod"))
	}
	if k.GetRestarts() > 0 {
		add("restarts", "%d; the last exit: %s", k.GetRestarts(), k.GetLastExit())
	}
	if !k.GetNodeReady() {
		add("node is not ready", "%s", k.GetNodeMessage())
	}
	list := []section{main}
	if len(k.GetComponents()) > 0 {
		components := section{"Components", output.Grid{Columns: output.Columns("COMPONENT", "STATE", "SINCE", "ERROR")}}
		for _, p := range k.Components {
			components.Add(p.Name, p.State, output.Time(p.Since.AsTime()), p.Error)
		}
		list = append(list, components)
	}
	if len(s.Conditions) > 0 {
		conditions := section{"Conditions", output.Grid{Columns: output.Columns("SEVERITY", "WHAT", "WHAT TO DO", "SINCE")}}
		for _, c := range s.Conditions {
			conditions.Add(c.Severity, c.Message, c.Hint, output.Time(c.Since.AsTime()))
		}
		list = append(list, conditions)
	}
	if c.GetSource() == "" && len(c.GetSources()) > 0 {
		sources := section{"Where a config was looked for", output.Grid{Columns: output.Columns("SOURCE", "WHY NOT")}}
		for _, from := range c.Sources {
			sources.Add(from.Name, from.Why)
		}
		list = append(list, sources)
	}
	return list
}

// timeWord says how the clock is.
func timeWord(t *machinepb.TimeStatus) string {
	switch {
	case t.GetDisabled():
		return "left alone, by the config"
	case t.GetSynced():
		return fmt.Sprintf("synced with %s at %s", t.Server, output.Time(t.LastSync.AsTime()))
	}
	return "not synced: " + first(t.GetProblem(), "no time server has answered yet")
}

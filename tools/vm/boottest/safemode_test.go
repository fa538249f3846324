package boottest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestSafeMode pulls the plug of a machine that is starting again and again. It then waits for its operator, who starts Kubernetes
// the first time, and installs another version the second.
func TestSafeMode(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		l.pullStarting()
		l.boot(l.single())
		api := l.api()
		l.isSafe(api)
		l.nodeReady(api)
		l.eventually("the end of the row", func() error { return l.logged(api, "this boot is healthy") })
		l.machine.PullPlug()

		l.pullStarting() // all three start Kubernetes: the ones before do not count any more
		l.boot(l.single())
		api = l.api()
		l.isSafe(api)
		l.machine.PullPlug()
		l.boot(l.single())
		api = l.api()
		l.isSafe(api) // it stays so
		next := built(l.T, nextVersion)
		l.upgradeTo(api, next.path)
		l.bootReady(l.single())
		l.confirmed(l.api(), next.version)
	})
}

// pullStarting pulls the plug of three boots while Kubernetes starts.
func (l *lab) pullStarting() {
	l.Helper()
	for range 3 {
		l.boot(l.single())
		l.milestone("kube", readyWithin)
		l.machine.PullPlug()
	}
}

// isSafe wants the machine to be in safe mode, and to say so everywhere.
func (l *lab) isSafe(api *client.Client) {
	l.Helper()
	const reason = "the last 3 boots never got healthy"
	l.says(`machined: Safe mode, .*` + reason)
	s := l.status(api)
	if !safeMode(s) || s.Kube.Pid != 0 || s.Kube.Phase != "off" {
		l.Errorf("kube is %v, conditions are %v", s.Kube, s.Conditions)
	}
	stream, err := api.WatchHealth(l.within(answerWithin), connect.NewRequest(&machinepb.WatchHealthRequest{}))
	if err != nil {
		l.Fatal(err)
	}
	defer stream.Close()
	if !stream.Receive() {
		l.Fatal(stream.Err())
	}
	if checks := stream.Msg().Checks; !slices.ContainsFunc(checks, func(c *machinepb.HealthCheck) bool {
		return c.Name == "kube" && !c.Ok && strings.Contains(c.Message, reason)
	}) {
		l.Errorf("health is %v", checks)
	}
	if lines := l.machine.Console.Matching(regexp.MustCompile(`machined: milestone kube`)); len(lines) > 0 {
		l.Errorf("kube was started: %q", lines)
	}
}

func safeMode(s *machinepb.Status) bool {
	return slices.ContainsFunc(s.Conditions, func(c *machinepb.Condition) bool { return c.Id == "kube.safe-mode" })
}

// readyOrSafe is what a machine prints in the end.
var readyOrSafe = regexp.MustCompile(`machined: (milestone node-ready|Safe mode)`)

// nodeReady waits until the node is Ready. A machine whose plug was pulled so often that it is in safe mode is told to start
// Kubernetes, as its operator would.
func (l *lab) nodeReady(api *client.Client) {
	l.Helper()
	if _, err := l.machine.Console.Wait(l.within(readyWithin), readyOrSafe); err != nil {
		l.Fatal(err)
	}
	if safeMode(l.status(api)) {
		l.Log("the machine is in safe mode, and is told to leave it")
		if _, err := api.RestartService(l.within(answerWithin), connect.NewRequest(&machinepb.RestartServiceRequest{Name: "kube"})); err != nil {
			l.Fatal(err)
		}
	}
	l.milestone("node-ready", readyWithin)
}

// logged is whether machined has logged something.
func (l *lab) logged(api *client.Client, text string) error {
	l.Helper()
	stream, err := api.GetLogs(l.within(answerWithin), connect.NewRequest(&machinepb.GetLogsRequest{Service: "machined"}))
	if err != nil {
		return err
	}
	defer stream.Close()
	var log strings.Builder
	for stream.Receive() {
		log.Write(stream.Msg().Data)
	}
	if stream.Err() != nil || strings.Contains(log.String(), text) {
		return stream.Err()
	}
	return fmt.Errorf("the log of machined does not say %q", text)
}

// single is the standard machine with one processor: of so many boots with two, one meets QEMU's race.
func (l *lab) single() machine.Spec {
	spec := l.standard()
	spec.CPUs = 1
	return spec
}

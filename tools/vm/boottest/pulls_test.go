package boottest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// pulls is how often the plug is pulled.
func pulls(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("CORACLE_PULLS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CORACLE_PULLS is %q, not a number", text)
	}
	return n
}

// confirmedLine is what the machine prints when a version is confirmed.
var confirmedLine = regexp.MustCompile(`machined: Version .* is confirmed`)

// pull is one pulled plug: what the machine did, and what came up.
type pull struct {
	during string // what the machine did
	after  time.Duration
	came   string // version, and whether on trial
	said   string // how the last upgrade ended
}

// puller pulls the plug at random moments of upgrades.
type puller struct {
	spec     machine.Spec
	versions []candidate   // that are upgraded to in turn
	longest  time.Duration // of an upgrade and its trial
	table    []pull
}

// TestPulledWhileUpgrading pulls the plug at random moments of upgrades, on one disk, without any repair between. The
// machine always comes up, with the version before or the new one, says which and what happened, and has lost nothing; and in
// the end an upgrade goes through. The image is light, with a program that writes records in kube's place, as this takes hours.
func TestPulledWhileUpgrading(t *testing.T) {
	onlyInAll(t)
	lightLab(t, func(l *lab) {
		spec := l.small()
		p := &puller{spec: spec, versions: []candidate{builtIn(l.T, light(), nextVersion), builtIn(l.T, light(), laterVersion)}}
		l.boot(spec)
		l.milestone("node-ready", readyWithin)
		api := l.api()
		p.pull(l, api, pulls(l.T, 200), l.recordsKept(api))
	})
}

// TestPulledWhileUpgradingKubernetes is the same with the image as it is.
func TestPulledWhileUpgradingKubernetes(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		p := &puller{spec: l.standard(), versions: []candidate{built(l.T, nextVersion), built(l.T, laterVersion)}}
		l.bootReady(l.standard())
		l.apply("records.yaml")
		l.wait("rollout", "status", "deployment/records")
		p.pull(l, l.api(), pulls(l.T, 20), func(*client.Client) {})
		l.fetchKubeconfig()
		l.wait("rollout", "status", "deployment/records")
		l.checkRecords()
	})
}

// light is the folder of what `make test-light` builds.
func light() string { return filepath.Join(out(), "light") }

// lightLab is a trialLab with the light image.
func lightLab(t *testing.T, test func(l *lab)) {
	t.Helper()
	onlyFor(t, "amd64") // the light image is
	flashedLab(t, "amd64", filepath.Join(light(), "coracle-amd64.img"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(quickTrial)))
		test(l)
	})
}

// small is the machine that the light image runs on. With several processors one boot in some dozens ends in a race of QEMU's,
// and a test of hours would begin again.
func (l *lab) small() machine.Spec {
	return machine.Spec{Memory: 512, CPUs: 1, Firmware: machine.UEFI, Network: machine.NAT}
}

// pull pulls the plug n times. kept checks that what the machine stored is there.
func (p *puller) pull(l *lab, api *client.Client, n int, kept func(*client.Client)) {
	l.Helper()
	known := []string{l.status(api).Version, p.versions[0].version, p.versions[1].version}
	began := time.Now()
	api = p.upgrade(l, api)
	p.longest = time.Since(began)
	l.Logf("an upgrade takes %.0f s here until it is confirmed", p.longest.Seconds())
	defer func() { l.Log(p.String()) }()
	for range n {
		pulled := p.duringUpgrade(l, api)
		l.boot(p.spec)
		api = l.api()
		s := l.status(api)
		if !slices.Contains(known, s.Version) {
			l.Fatalf("version %q came up", s.Version)
		}
		pulled.came = s.Version
		if s.Upgrade.GetTrialRemaining() != nil {
			pulled.came += ", on trial"
		}
		if last := s.Upgrade.GetLast(); last != nil {
			pulled.said = strings.TrimSuffix(last.Result+" "+last.Version+": "+last.Reason, ": ")
		}
		p.table = append(p.table, pulled)
		l.Logf("pull %d: %v", len(p.table), pulled)
		kept(api)
	}
	l.nodeReady(api)
	l.settled(api)
	kept(p.upgrade(l, api))
}

// upgrade brings the machine to the version that does not run, which has to work.
func (p *puller) upgrade(l *lab, api *client.Client) *client.Client {
	l.Helper()
	target := p.target(l, api)
	f, err := os.Open(target.path)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	if _, err := upload(l.within(uploadWithin), api, f, &machinepb.UpgradeOptions{Force: true}); err != nil {
		l.Fatal(err)
	}
	l.restarted()
	l.boot(p.spec)
	l.milestone("node-ready", readyWithin)
	api = l.api()
	l.confirmed(api, target.version)
	return api
}

// target is the version that does not run.
func (p *puller) target(l *lab, api *client.Client) candidate {
	l.Helper()
	if l.status(api).Version == p.versions[0].version {
		return p.versions[1]
	}
	return p.versions[0]
}

// settled waits until nothing is on trial.
func (l *lab) settled(api *client.Client) {
	l.Helper()
	l.eventually("the end of the trial", func() error {
		if s := l.upgradeState(api); s.TrialRemaining != nil {
			return fmt.Errorf("%v are left", s.TrialRemaining.AsDuration())
		}
		return nil
	})
}

// duringUpgrade begins an upgrade to the version that does not run, if none is on trial, and pulls the plug at a random
// moment: while it is sent, written and read back, while the machine goes down, and, in QEMU's next run, while the new version
// boots and is on trial.
func (p *puller) duringUpgrade(l *lab, api *client.Client) pull {
	l.Helper()
	target := p.target(l, api)
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), rand.N(p.longest))
	defer cancel()
	f, err := os.Open(target.path)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	uploading := l.within(uploadWithin)
	sent := make(chan error, 1)
	go func() {
		_, err := upload(uploading, api, f, &machinepb.UpgradeOptions{Force: true})
		sent <- err
	}()
	during := ""
	select {
	case <-ctx.Done():
		during = step(api)
		l.machine.PullPlug()
		<-sent
		return pull{during: during, after: time.Since(began).Round(100 * time.Millisecond)}
	case err := <-sent:
		switch {
		case err == nil:
			during = "shutdown"
		case connect.CodeOf(err) == connect.CodeAborted: // another is on trial
			during = "trial"
		default:
			l.Fatalf("upgrade to %s: %v", target.version, err)
		}
	}
	select {
	case <-l.machine.Ended():
		during = p.boots(l, ctx)
	case <-ctx.Done():
	}
	l.machine.PullPlug()
	return pull{during: during, after: time.Since(began).Round(100 * time.Millisecond)}
}

// step is how far the machine is with an upgrade that is sent to it.
func step(api *client.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	answer, err := api.GetUpgrade(ctx, connect.NewRequest(&machinepb.GetUpgradeRequest{}))
	if err != nil || answer.Msg.Progress == nil {
		return "check"
	}
	return answer.Msg.Progress.Step
}

// boots switches the machine on again, and returns at the end of ctx how far it was.
func (p *puller) boots(l *lab, ctx context.Context) string {
	l.Helper()
	l.boot(p.spec)
	select {
	case <-ctx.Done():
	case <-l.machine.Ended(): // rolled back by itself: the next boot is the one before
	}
	during := "boot loader"
	for _, m := range l.machine.Console.Milestones() {
		during = "boot, after " + m.Name
	}
	if len(l.machine.Console.Matching(confirmedLine)) > 0 {
		during = "after the confirmation"
	}
	return during
}

// recordsKept checks that all records of the light image are whole, and that none is missing that the machine has
// once said to have.
func (l *lab) recordsKept(api *client.Client) func(*client.Client) {
	l.Helper()
	count := func(api *client.Client) (all, whole int) {
		l.nodeReady(api)
		l.eventually("the records", func() error {
			k := l.status(api).Kube
			all, whole = int(k.GetPodsTotal()), int(k.GetPodsRunning())
			if all == 0 {
				return fmt.Errorf("the machine has not said how many there are")
			}
			return nil
		})
		return all, whole
	}
	before, _ := count(api)
	return func(api *client.Client) {
		l.Helper()
		all, whole := count(api)
		if all != whole || all < before {
			l.Fatalf("of %d records %d are whole; there were %d before", all, whole, before)
		}
		before = all
	}
}

// checkRecords reads all records of the workload: each has to be there, and whole.
func (l *lab) checkRecords() {
	l.Helper()
	last, err := strconv.Atoi(strings.TrimSpace(l.kubectl("exec", "deployment/records", "--", "cat", "/data/last")))
	if err != nil {
		l.Fatal(err)
	}
	text := l.kubectl("exec", "deployment/records", "--", "cat", "/data/records")
	for n := 1; n <= last; n++ {
		want := fmt.Sprintf("%d %x\n", n, sha256.Sum256(fmt.Appendf(nil, "record %d\n", n)))
		at := n * 128
		if len(text) < at+len(want) || text[at:at+len(want)] != want {
			l.Fatalf("record %d of %d is lost or changed", n, last)
		}
	}
	l.Logf("%d records are all there and whole", last)
}

func (p pull) String() string {
	return fmt.Sprintf("%-30s %8s  %-22s %s", p.during, p.after, p.came, p.said)
}

func (p *puller) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d pulled plugs\n%-4s%-30s %8s  %-22s %s\n", len(p.table), "", "DURING", "AFTER", "CAME UP", "SAID")
	for i, one := range p.table {
		fmt.Fprintf(&b, "%-4d%v\n", i+1, one)
	}
	return b.String()
}

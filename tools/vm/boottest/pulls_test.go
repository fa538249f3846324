package boottest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// pulls is how often the plug is pulled: 200 times in `make test-all`, which takes hours.
func pulls(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CORACLE_PULLS")
	if text == "" {
		return 200
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

// TestPulledWhileUpgrading pulls the plug at random moments of upgrades, on one disk, without any repair between. The
// machine always comes up, with the version before or the new one, says which and what happened, and has lost nothing; and in
// the end an upgrade goes through.
func TestPulledWhileUpgrading(t *testing.T) {
	onlyInAll(t)
	versions := []candidate{built(t, nextVersion), built(t, laterVersion)}
	trialLab(t, func(l *lab) {
		l.bootReady(l.standard())
		l.apply("records.yaml")
		l.wait("rollout", "status", "deployment/records")
		api := l.api()
		first := l.status(api).Version
		known := append([]string{first}, nextVersion, laterVersion)
		var table []pull
		defer func() { l.Log(pullTable(table)) }()
		for range pulls(l.T) {
			p := l.pullDuringUpgrade(api, versions)
			l.boot(l.standard())
			api = l.api()
			s := l.status(api)
			if !slices.Contains(known, s.Version) {
				l.Fatalf("version %q came up", s.Version)
			}
			p.came = s.Version
			if s.Upgrade.GetTrialRemaining() != nil {
				p.came += ", on trial"
			}
			if last := s.Upgrade.GetLast(); last != nil {
				p.said = strings.TrimSuffix(last.Result+" "+last.Version+": "+last.Reason, ": ")
			}
			table = append(table, p)
			l.Logf("pull %d: %v", len(table), p)
		}
		l.milestone("node-ready", readyWithin)
		l.fetchKubeconfig()
		l.settled(api)
		target := versions[0]
		if l.status(api).Version == target.version {
			target = versions[1]
		}
		if _, err := l.push(api, target.path, &machinepb.UpgradeOptions{Force: true}); err != nil {
			l.Fatal(err)
		}
		l.restarted()
		l.bootReady(l.standard())
		l.confirmed(l.api(), target.version)
		l.wait("rollout", "status", "deployment/records")
		l.checkRecords()
	})
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

// pullDuringUpgrade begins an upgrade to the version that does not run, if none is on trial, and pulls the plug at a random
// moment: while it is sent and written, while the machine goes down, and, in QEMU's next run, while the new version boots
// and is on trial.
func (l *lab) pullDuringUpgrade(api *client.Client, versions []candidate) pull {
	l.Helper()
	target := versions[0]
	if l.status(api).Version == target.version {
		target = versions[1]
	}
	began := time.Now()
	// As long as an upgrade and the trial take here.
	ctx, cancel := context.WithTimeout(context.Background(), rand.N(4*time.Minute))
	defer cancel()
	during := "write"
	f, err := os.Open(target.path)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	switch _, err := upload(ctx, api, f, &machinepb.UpgradeOptions{Force: true}); {
	case err == nil:
		during = "shutdown"
		select {
		case <-l.machine.Ended():
			during = l.pullDuringTrial(ctx)
		case <-ctx.Done():
		}
	case connect.CodeOf(err) == connect.CodeAborted: // another is on trial
		during = "trial"
		select {
		case <-l.machine.Ended():
			during = l.pullDuringTrial(ctx)
		case <-ctx.Done():
		}
	case ctx.Err() == nil:
		l.Fatalf("upgrade to %s: %v", target.version, err)
	}
	l.machine.PullPlug()
	return pull{during: during, after: time.Since(began).Round(100 * time.Millisecond)}
}

// pullDuringTrial switches the machine on again, and returns at the end of ctx how far it was.
func (l *lab) pullDuringTrial(ctx context.Context) string {
	l.Helper()
	l.boot(l.standard())
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

func pullTable(table []pull) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d pulled plugs\n%-4s%-30s %8s  %-22s %s\n", len(table), "", "DURING", "AFTER", "CAME UP", "SAID")
	for i, p := range table {
		fmt.Fprintf(&b, "%-4d%v\n", i+1, p)
	}
	return b.String()
}

package boottest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// quickTrial is machine.upgrade for tests: as short as emulated machines can get healthy in.
const quickTrial = "  upgrade: {confirm: 5s, deadline: 4m}\n"

// trialLab runs a test with a server whose trials are short.
func trialLab(t *testing.T, test func(l *lab)) {
	t.Helper()
	newLab(t, diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(quickTrial)))
		test(l)
	})
}

// TestRollback upgrades a machine to versions of which none comes up, each in another way.
func TestRollback(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		next, faulty := built(l.T, nextVersion), built(l.T, faultyVersion)
		spec := l.standard()
		spec.Watchdog = true
		l.bootReady(spec)
		api := l.api()
		version := l.status(api).Version
		for i, c := range []struct {
			name   string
			from   candidate
			change func(image string) error
			boots  int // after the restart, until the version before runs: a boot loader that loads another slot needs no restart
			reason string
		}{
			{"kernel truncated", next, shortKernel, 1, `boot loader could not load its kernel or initrd`},
			{"initramfs garbage", next, garbageInitrd, 2, `its kernel or initramfs did not come up`},
			{"verity hash wrong", next, brokenRoot, 2, `not what root hash [0-9a-f]{64} stands for`},
			{"init panics", faulty, fault("init-panics"), 2, `its init did not start`},
			{"init hangs", faulty, fault("init-hangs"), 2, `its init did not start`},
			{"machined exits", faulty, fault("machined-exits"), 2, `machined ended 3 times; it exited with code 3: it cannot go on`},
			{"kube never gets healthy", faulty, fault("kube-hangs"), 2, `did not get healthy in time: kube does not answer`},
			{"kernel panics after a minute", faulty, fault("kernel-panics"), 2, `stopped without a word while it was on trial|did not get healthy in time`},
		} {
			l.Logf("== %s", c.name)
			broken := remake(l.T, l.dev.Dir, c.from, fmt.Sprintf("0.2.%d", 10+i), c.change)
			l.upgradeTo(api, broken.path)
			if err := os.Remove(broken.path); err != nil {
				l.Error(err)
			}
			for boot := 1; boot < c.boots; boot++ {
				l.boot(spec)
				l.restarted() // by itself
				if c.name == "init hangs" && l.machine.WatchdogResets() != 1 {
					l.Errorf("the watchdog reset the machine %d times, want once", l.machine.WatchdogResets())
				}
			}
			l.boot(spec)
			api = l.api()
			l.rolledBack(api, version, regexp.MustCompile(c.reason))
		}
		l.milestone("node-ready", readyWithin)
		// And one that is good goes through.
		l.upgradeTo(api, next.path)
		l.bootReady(spec)
		l.confirmed(l.api(), next.version)
	})
}

// TestBothSlots upgrades a machine with work on it twice, so that both slots were written, and goes back by hand.
func TestBothSlots(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/writer")
		count, identity := l.syncedCount(), l.identity()
		settled := func(version string) {
			l.bootReady(l.standard())
			l.confirmed(l.api(), version)
			l.wait("rollout", "status", "deployment/writer")
			n := l.syncedCount()
			if n < count {
				l.Errorf("the writer had synced %d, and is at %d now", count, n)
			}
			count = n
			if now := l.identity(); now != identity {
				l.Errorf("version %s has the identity %+v, was %+v", version, now, identity)
			}
		}
		l.upgradeTo(l.api(), built(l.T, nextVersion).path)
		settled(nextVersion)
		l.upgradeTo(l.api(), built(l.T, laterVersion).path)
		settled(laterVersion)
		l.rollback(l.api())
		settled(nextVersion)
	})
}

// rollback goes back by hand, and waits until the machine has restarted.
func (l *lab) rollback(api *client.Client) {
	l.Helper()
	answer, err := api.Rollback(l.within(uploadWithin), connect.NewRequest(&machinepb.RollbackRequest{}))
	if err != nil {
		l.Fatal(err)
	}
	l.Logf("back to version %s in slot %s", answer.Msg.Result.Version, answer.Msg.Result.Slot)
	l.restarted()
}

// TestDelta has a machine fetch a version that differs from its own in machined.
func TestDelta(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		source := serveFolder(l, out())
		l.bootReady(l.standard())
		api := l.api()
		stream, err := api.PullUpgrade(l.within(uploadWithin), connect.NewRequest(&machinepb.PullUpgradeRequest{
			Source: source + "/coracle-" + nextVersion + "-" + l.arch + artifact.Ending,
		}))
		if err != nil {
			l.Fatal(err)
		}
		var result *machinepb.UpgradeResult
		for stream.Receive() {
			result = stream.Msg().Result
		}
		if stream.Err() != nil || result == nil {
			l.Fatalf("no result: %v", stream.Err())
		}
		all := result.FetchedBytes + result.SavedBytes
		l.Logf("fetched %d bytes, had %d already: %.1f %%", result.FetchedBytes, result.SavedBytes, float64(result.FetchedBytes)*100/float64(all))
		if result.FetchedBytes*100 > all*15 {
			l.Errorf("fetched more than 15 %% of the artifact")
		}
		l.restarted()
		l.boot(l.standard())
		l.confirmed(l.api(), nextVersion)
	})
}

// serveFolder serves the files of a folder and returns the address that machines reach them at: QEMU has this host's
// loopback at 10.0.2.2.
func serveFolder(l *lab, dir string) string {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go server.Serve(listener)
	l.Cleanup(func() { server.Close() })
	return fmt.Sprintf("http://10.0.2.2:%d", listener.Addr().(*net.TCPAddr).Port)
}

package boottest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/machined/keys"
)

// TestFleet has a cluster upgrade its only machine, on which the controller runs itself: once to a version that is good, and
// once to one that is not.
func TestFleet(t *testing.T) {
	onlyInAll(t)
	newLab(t, diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(quickTrial)) + "cluster:\n  addons: {fleet: {enabled: true}}\n")
		next := built(l.T, nextVersion)
		l.bootReady(l.standard())
		api := l.api()

		l.order("good", serveFolder(l, out())+"/"+filepath.Base(next.path), next.version)
		l.wait("wait", "--for=condition=KeyAccepted=false", "upgrade/good")
		entry := l.kubectl("-n", "kube-system", "get", "configmap", "coracle-fleet", "-o", "jsonpath={.data.entry}")
		l.patch(api, fmt.Sprintf("machine:\n  api:\n    keys:\n    - {name: vm, role: admin, key: %q}\n    %s", keys.Public(l.dev.Key), entry))
		l.restarted()
		l.bootReady(l.standard())
		l.wait("wait", "--for=condition=Complete", "upgrade/good")
		api = l.api()
		l.confirmed(api, next.version)

		broken := remake(l.T, l.dev.Dir, next, "0.2.2", brokenRoot)
		l.order("bad", serveFolder(l, l.dev.Dir)+"/"+filepath.Base(broken.path), broken.version)
		l.restarted()
		l.boot(l.standard())
		l.restarted() // by itself
		l.bootReady(l.standard())
		l.wait("wait", `--for=jsonpath={.status.conditions[?(@.type=="Progressing")].reason}=MachineFailed`, "upgrade/bad")
		l.Log("\n" + l.kubectl("get", "upgrades", "-o", "wide"))
		if s := l.status(l.api()); s.Version != next.version {
			l.Errorf("the machine runs %s, want %s", s.Version, next.version)
		}
		if node := l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].spec.unschedulable}"); node != "" {
			l.Errorf("after a failed upgrade the node takes no pods")
		}
	})
}

// order makes an Upgrade.
func (l *lab) order(name, artifact, version string) {
	l.Helper()
	path := filepath.Join(l.dev.Dir, name+".yaml")
	text := fmt.Sprintf(`apiVersion: coracle.dev/v1alpha1
kind: Upgrade
metadata: {name: %s}
spec: {artifact: %q, version: %s}
`, name, artifact, version)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
	l.eventually("order "+name, func() error { // the definition comes with the add-ons
		_, err := l.try("apply", "-f", path)
		return err
	})
}

package boottest

import (
	"fmt"
	"os"
	"strconv"

	"sigs.k8s.io/yaml"

	"github.com/coracle-os/coracle/tools/vm/device"
)

// identity is what must outlive any accident.
type identity struct {
	fingerprint string // of the machine's key
	authority   string // certificate of the cluster's CA
	node        string // UID of the node object: the datastore is the same
}

func (l *lab) identity() identity {
	l.Helper()
	fingerprint, err := device.Fingerprint(l.within(workWithin), l.machine)
	if err != nil {
		l.Fatal(err)
	}
	b, err := os.ReadFile(l.kubeconfigPath())
	if err != nil {
		l.Fatal(err)
	}
	var kubeconfig struct {
		Clusters []struct {
			Cluster struct {
				Authority string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(b, &kubeconfig); err != nil || len(kubeconfig.Clusters) != 1 {
		l.Fatalf("kubeconfig: %d clusters, %v", len(kubeconfig.Clusters), err)
	}
	return identity{
		fingerprint: fingerprint,
		authority:   kubeconfig.Clusters[0].Cluster.Authority,
		node:        l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}"),
	}
}

// count is the last number that the pod writer has synced.
func (l *lab) count() (int, error) {
	l.Helper()
	text, err := l.try("exec", "deployment/writer", "--", "cat", "/data/count")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string([]byte(text)[:max(0, len(text)-1)]))
	if err != nil {
		return 0, fmt.Errorf("the file with the count has %q in it", text)
	}
	return n, nil
}

// testPowerCut pulls the plug while a pod writes, and switches on again.
func testPowerCut(l *lab) {
	before := l.identity()
	if before.authority == "" || before.node == "" {
		l.Fatalf("identity before the power cut: %+v", before)
	}
	var synced int
	l.eventually("some numbers on disk", func() (err error) {
		if synced, err = l.count(); err == nil && synced < 5 {
			err = fmt.Errorf("only %d", synced)
		}
		return err
	})
	l.machine.PullPlug()

	l.bootReady(l.standard())
	l.sub("PowerCut", func(l *lab) {
		if after := l.identity(); after != before {
			l.Errorf("after the power cut the identity is %+v, was %+v", after, before)
		}
		l.wait("rollout", "status", "deployment/web")
		l.wait("rollout", "status", "deployment/writer")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		l.answersInPod("http://web.default.svc.cluster.local/")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.eventually("the writer's numbers", func() error {
			n, err := l.count()
			if err == nil && n < synced {
				l.Fatalf("the writer had synced %d, and is at %d now", synced, n)
			}
			return err
		})
	})
}

package boottest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// bothNodePort is that of the Service in testdata/dualstack.yaml.
const bothNodePort = 30081

// dualStack is a config's networks of both families.
const dualStack = `cluster:
  podCIDR: 10.42.0.0/16,fd42::/56
  serviceCIDR: 10.43.0.0/16,fd43::/112
`

// TestDualStack: pods and Services have IPv4 and IPv6 addresses, which work, and do so on a node that has no IPv6 address too.
func TestDualStack(t *testing.T) {
	onlyInAll(t)
	newLab(t, diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("")) + dualStack)
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.apply("dualstack.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		l.waitForCoreDNS()
		testBothFamilies(l, nodeAddresses)
		l.sub("Outside", func(l *lab) {
			l.answersOutside("127.0.0.1:0", "10.0.2.2")
			l.answersOutside("[::1]:0", "fec0::2")
		})

		// The network loses IPv6.
		api := l.api()
		l.patch(api, "machine: {network: {interfaces: [{name: 'e*', ipv6: off}]}}")
		l.eventually("no IPv6 address", func() error {
			if s := l.status(api); slices.ContainsFunc(s.Addresses, func(a *machinepb.Address) bool { return strings.Contains(a.Prefix, ":") }) {
				return fmt.Errorf("addresses %v", s.Addresses)
			}
			return nil
		})
		l.machine.PullPlug()
		l.bootReady(l.standard())
		l.sub("OutsideIPv4", func(l *lab) { l.answersOutside("127.0.0.1:0", "10.0.2.2") })
		only := nodeAddresses
		only.v6 = "" // none
		testBothFamilies(l, only)
	})
}

// testBothFamilies reaches the web servers over both families, each way that a pod can.
func testBothFamilies(l *lab, node addresses) {
	l.sub("Pods", func(l *lab) { l.reaches(webPods, 8080) })
	l.sub("Service", func(l *lab) { l.reaches(bothService, 80) })
	l.sub("NodePort", func(l *lab) { l.reaches(node, bothNodePort) })
	l.sub("DNS", func(l *lab) {
		l.eventually("both addresses by name", func() error {
			ips, err := l.find(bothService)
			if err != nil {
				return err
			}
			got, err := l.inPod("nslookup", "both.default.svc.cluster.local")
			for _, ip := range ips {
				if err == nil && !slices.Contains(strings.Fields(got), ip) {
					err = fmt.Errorf("got %q, want %s in it", got, ip)
				}
			}
			return err
		})
		l.answersInPod("http://both.default.svc.cluster.local/")
	})
}

// addresses are where to find addresses of both families: some in each of two networks, or none of IPv6 when v6 is empty.
type addresses struct{ kind, path, v4, v6 string }

var (
	nodeAddresses = addresses{"node", `{.items[0].status.addresses[?(@.type=="InternalIP")].address}`, "10.0.2.0/24", "fec0::/64"}
	webPods       = addresses{"pod", `{.items[?(@.metadata.labels.app=="web")].status.podIPs[*].ip}`, "10.42.0.0/24", "fd42::/64"}
	bothService   = addresses{"service", `{.items[?(@.metadata.name=="both")].spec.clusterIPs[*]}`, "10.43.0.0/16", "fd43::/112"}
)

// find returns the addresses, which must be in the two networks, with as many in one as in the other if there are two.
func (l *lab) find(a addresses) ([]string, error) {
	got, err := l.try("get", a.kind, "-o", "jsonpath="+a.path)
	if err != nil {
		return nil, err
	}
	v4, err := netip.ParsePrefix(a.v4)
	if err != nil {
		return nil, err
	}
	v6, _ := netip.ParsePrefix(a.v6)
	all, balance := strings.Fields(got), 0
	for _, text := range all {
		switch ip, err := netip.ParseAddr(text); {
		case err == nil && v4.Contains(ip):
			balance++
		case err == nil && v6.Contains(ip):
			balance--
		default:
			return nil, fmt.Errorf("addresses of %s: %q: one is not in %s or %s", a.kind, got, v4, v6)
		}
	}
	if !v6.IsValid() {
		balance = 0
	}
	if len(all) == 0 || balance != 0 {
		return nil, fmt.Errorf("addresses of %s: %q: want as many in %s as in %s", a.kind, got, v4, v6)
	}
	return all, nil
}

// reaches waits until the web servers answer a pod at all of the addresses. They are looked up each time: those of pods are
// others after a boot.
func (l *lab) reaches(a addresses, port int) {
	l.Helper()
	l.eventually("answers at all addresses of "+a.kind, func() error {
		ips, err := l.find(a)
		if err != nil {
			return err
		}
		for _, ip := range ips {
			got, err := l.inPod("wget", "-q", "-T", "5", "-O", "-", "http://"+net.JoinHostPort(ip, fmt.Sprint(port))+"/")
			if err == nil && got != page {
				err = fmt.Errorf("got %q, want %q", got, page)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", ip, err)
			}
		}
		return nil
	})
}

// answersOutside has a pod reach a web server on an address of this host's loopback, which QEMU shows the machine at another.
// Only what comes from the machine's own address is answered there, so pods have to be masqueraded.
func (l *lab) answersOutside(here, there string) {
	l.Helper()
	listener, err := net.Listen("tcp", here)
	if err != nil {
		l.Logf("this host has no %s: %v", here, err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })}
	go server.Serve(listener)
	defer server.Close()
	l.answersInPod("http://" + net.JoinHostPort(there, fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)) + "/")
}

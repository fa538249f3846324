package boottest

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestNetwork changes how a machine with four interfaces is connected, over and over, without a reboot.
func TestNetwork(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		spec := l.standard()
		spec.Links = 3
		l.bootReady(spec)
		api := l.api()
		started := l.status(api).Started.AsTime()
		names := l.nicNames(api)
		l.apply("host.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		first := networkStages[0]
		for _, stage := range slices.Concat(networkStages, []networkStage{first}) {
			l.Logf("== %s", stage.name)
			l.patch(api, names.Replace(stage.config))
			l.eventually(stage.name, func() error { return l.networkIs(api, stage, names) })
		}
		if now := l.status(api).Started.AsTime(); now.Sub(started).Abs() > time.Minute {
			l.Errorf("the machine rebooted: started %v, then %v", started, now)
		}
		l.machine.PullPlug()
		l.bootReady(spec)
		api = l.api()
		l.eventually("after a boot", func() error { return l.networkIs(api, first, names) })
	})
}

// nicNames puts in what the machine calls its interfaces, which it tells by their MAC addresses.
func (l *lab) nicNames(api *client.Client) *strings.Replacer {
	l.Helper()
	var pairs []string
	for _, i := range l.network(api).Interfaces {
		switch at := slices.Index([]string{machine.LinkMAC(0), machine.LinkMAC(1), machine.LinkMAC(2)}, i.Mac); {
		case i.Driver != "virtio_net":
		case at >= 0:
			pairs = append(pairs, "{"+string("abc"[at])+"}", i.Name)
		default:
			pairs = append(pairs, "{uplink-name}", i.Name, "{uplink}", i.Mac)
			l.Logf("to the outside: %s, %q", i.Name, i.Addresses) // with one of IPv6 where QEMU's router gives it
		}
	}
	if len(pairs) != 10 {
		l.Fatalf("the machine has not the interfaces that it was given: %q", pairs)
	}
	return strings.NewReplacer(pairs...)
}

func (l *lab) network(api *client.Client) *machinepb.GetNetworkResponse {
	l.Helper()
	answer, err := api.GetNetwork(l.within(answerWithin), connect.NewRequest(&machinepb.GetNetworkRequest{}))
	if err != nil {
		l.Fatal(err)
	}
	return answer.Msg
}

// networkIs says what is not as the stage wants it.
func (l *lab) networkIs(api *client.Client, want networkStage, names *strings.Replacer) error {
	var problems []error
	differs := func(what, got, want string) {
		if want = names.Replace(want); got != want {
			problems = append(problems, fmt.Errorf("%s: %q, want %q", what, got, want))
		}
	}
	n := l.network(api)
	have := map[string]*machinepb.Interface{}
	for _, i := range n.Interfaces {
		have[i.Name] = i
	}
	for name, w := range want.links {
		i := have[names.Replace(name)]
		differs(name, fmt.Sprint(i.GetKind(), " ", i.GetMtu(), " ", global(i.GetAddresses())), fmt.Sprint(w.kind, " ", w.mtu, " ", w.addresses))
		if !w.idle && (!i.GetUp() || !i.GetCarrier()) {
			problems = append(problems, fmt.Errorf("%s is not up, or has no carrier: %v", name, i))
		}
	}
	for _, name := range want.gone {
		if have[name] != nil {
			problems = append(problems, fmt.Errorf("%s is still there", name))
		}
	}
	var static, leased []string
	for _, r := range n.Routes {
		text := fmt.Sprintf("%s via %s dev %s metric %d", r.Destination, r.Gateway, r.Interface, r.Metric)
		switch {
		case r.Protocol == "static":
			static = append(static, text)
		case r.Protocol == "dhcp" && r.Destination == "0.0.0.0/0":
			leased = append(leased, text)
		}
	}
	slices.Sort(static)
	differs("static routes", strings.Join(static, "\n"), strings.Join(want.routes, "\n"))
	differs("default route", strings.Join(leased, "\n"), want.defaultRoute)
	if !strings.HasPrefix(strings.Join(n.Nameservers, " ")+" ", want.nameservers+" ") {
		differs("nameservers", strings.Join(n.Nameservers, " "), want.nameservers)
	}
	differs("search domains", strings.Join(n.Search, " "), want.search)
	for _, c := range l.status(api).Conditions {
		if strings.HasPrefix(c.Id, "network.") {
			problems = append(problems, fmt.Errorf("condition %s: %s", c.Id, c.Message))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...) // what follows takes long
	}
	for _, command := range slices.Sorted(maps.Keys(want.kernel)) {
		got, err := l.inPod("sh", "-c", names.Replace(command))
		if line := names.Replace(want.kernel[command]); err != nil || !slices.Contains(strings.Split(got, "\n"), line) {
			problems = append(problems, fmt.Errorf("%s: %q, %v; want a line %q", command, got, err, line))
		}
	}
	return errors.Join(problems...)
}

// global are addresses but for IPv6's link-local ones, in their order as text.
func global(addresses []string) string {
	all := slices.DeleteFunc(slices.Sorted(slices.Values(addresses)), func(a string) bool {
		p, err := netip.ParsePrefix(a)
		return err == nil && p.Addr().IsLinkLocalUnicast()
	})
	return strings.Join(all, " ")
}

package discovery

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var edge = Info{
	Name: "edge-1.plant", Port: 50000, Fingerprint: "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0", Version: "0.2.0", State: Maintenance,
	Addresses: []Address{{"eth0", pfx("192.0.2.7/24")}, {"eth0", pfx("fe80::7/64")}, {"eth1", pfx("198.51.100.7/24")}},
}

// query makes one, for names and types; unicast sets the bit that allows an answer to the asker alone.
func query(t *testing.T, id uint16, unicast bool, ask map[string]dnsmessage.Type, known ...string) []byte {
	t.Helper()
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id})
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.StartQuestions())
	for name, kind := range ask {
		class := dnsmessage.ClassINET
		if unicast {
			class |= topBit
		}
		must(b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: class}))
	}
	must(b.StartAnswers())
	for _, instance := range known {
		must(b.PTRResource(dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(service), Class: dnsmessage.ClassINET, TTL: otherTTL},
			dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(instance + "." + service)}))
	}
	packet, err := b.Finish()
	must(err)
	return packet
}

func TestAnswerIsRead(t *testing.T) {
	asked, _ := parseQuestion(query(t, 7, false, map[string]dnsmessage.Type{service: dnsmessage.TypePTR}), edge.instance())
	for name, legacy := range map[string]*question{"multicast": nil, "to the asker": &asked} {
		t.Run(name, func(t *testing.T) {
			packet, err := edge.answer(addressesOf(edge.on("eth0")), legacy, false)
			if err != nil {
				t.Fatal(err)
			}
			m, ok := parseAnswer(packet, netip.MustParseAddr("fe80::7%wlan0"))
			if !ok {
				t.Fatal("was not read")
			}
			want := edge
			want.Addresses = nil
			if !m.Info.equal(want) {
				t.Errorf("got %+v, want %+v", m.Info, want)
			}
			addresses := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:50000"), netip.MustParseAddrPort("[fe80::7%wlan0]:50000")}
			if !slices.Equal(m.Addresses, addresses) {
				t.Errorf("addresses %v, want %v", m.Addresses, addresses)
			}
		})
	}
}

func TestGoodbyeIsNoMachine(t *testing.T) {
	packet, err := edge.answer(nil, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := parseAnswer(packet, netip.MustParseAddr("192.0.2.7")); ok {
		t.Errorf("read as %+v", m)
	}
}

func TestWhichQuestionsConcern(t *testing.T) {
	instance := edge.instance() + "." + service
	type asked = map[string]dnsmessage.Type
	for name, tc := range map[string]struct {
		packet []byte
		want   int
	}{
		"the service":            {query(t, 0, false, asked{service: dnsmessage.TypePTR}), 1},
		"in capitals":            {query(t, 0, false, asked{strings.ToUpper(service): dnsmessage.TypePTR}), 1},
		"anything of it":         {query(t, 0, false, asked{service: dnsmessage.TypeALL}), 1},
		"kinds of services":      {query(t, 0, false, asked{services: dnsmessage.TypePTR}), 1},
		"this instance":          {query(t, 0, true, asked{instance: dnsmessage.TypeSRV}), 1},
		"this host":              {query(t, 0, false, asked{edge.host(): dnsmessage.TypeAAAA}), 1},
		"another host":           {query(t, 0, false, asked{"printer.local.": dnsmessage.TypeA}), 0},
		"the wrong type":         {query(t, 0, false, asked{service: dnsmessage.TypeA}), 0},
		"what is known":          {query(t, 0, false, asked{service: dnsmessage.TypePTR}, edge.instance()), 0},
		"another one is known":   {query(t, 0, false, asked{service: dnsmessage.TypePTR}, "other"), 1},
		"two, one of which ours": {query(t, 0, false, asked{service: dnsmessage.TypePTR, "printer.local.": dnsmessage.TypeA}), 1},
		"nothing":                {query(t, 0, false, nil), 0},
		"cut off":                {query(t, 0, false, asked{service: dnsmessage.TypePTR})[:20], 0},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := parseQuestion(tc.packet, edge.instance())
			if got := q.concerns(edge); len(got) != tc.want {
				t.Errorf("%d questions concern it, want %d: %v", len(got), tc.want, got)
			}
		})
	}
}

func TestUnicastOnlyIfAllAllowIt(t *testing.T) {
	for name, tc := range map[string]bool{"allowed": true, "not allowed": false} {
		q, ok := parseQuestion(query(t, 0, tc, map[string]dnsmessage.Type{service: dnsmessage.TypePTR}), "")
		if !ok || q.unicast != tc {
			t.Errorf("%s: unicast %v", name, q.unicast)
		}
	}
}

func TestNamesDiffer(t *testing.T) {
	other := edge
	other.Fingerprint = "SHA256:jZ0KdO3rLr5YJ1yYgP2uP0m7Xb6iW1b3C0aXW6oQ3uI"
	if edge.host() == other.host() || edge.instance() == other.instance() {
		t.Errorf("two machines have the names %s and %s", edge.host(), edge.instance())
	}
	long := edge
	long.Name = strings.Repeat("x", 63)
	if got := long.instance(); len(got) != 63 || !strings.HasSuffix(got, " ("+edge.id()+")") {
		t.Errorf("a long name became %q", got)
	}
	if strings.Contains(edge.instance(), ".") {
		t.Errorf("%q has a dot", edge.instance())
	}
}

func TestUnfitTextIsDropped(t *testing.T) {
	var i Info
	i.readText([]string{"NAME=a\x1b[2Jb", "state=configured", "novalue", "=x", "name"})
	if i.Name != "" || i.State != Configured {
		t.Errorf("got %+v", i)
	}
	i.readText([]string{"name=a\x1b[2Jb"})
	if i.Name != "a[2Jb" {
		t.Errorf("got %q", i.Name)
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, goodbye := range []bool{false, true} {
		packet, err := edge.answer(addressesOf(edge.on("eth0")), nil, goodbye)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, ok := parseAnswer(packet, netip.MustParseAddr("fe80::1%eth0"))
		if !ok {
			return
		}
		if m.Port == 0 || m.Fingerprint == "" || len(m.Addresses) == 0 {
			t.Errorf("took %+v for a machine", m)
		}
		for _, s := range []string{m.Name, m.Fingerprint, m.Version, string(m.State)} {
			if s != printable(s) {
				t.Errorf("%q would reach a terminal", s)
			}
		}
	})
}

func FuzzParseQuestion(f *testing.F) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	b.StartQuestions()
	b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(service), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET})
	packet, err := b.Finish()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packet)
	f.Fuzz(func(t *testing.T, packet []byte) {
		q, ok := parseQuestion(packet, edge.instance())
		if !ok {
			return
		}
		q.asked = q.concerns(edge)
		if len(q.asked) == 0 {
			return
		}
		if _, err := edge.answer(addressesOf(edge.on("eth0")), &q, false); err != nil && len(q.asked) < 100 {
			t.Errorf("cannot be answered: %v", err)
		}
	})
}

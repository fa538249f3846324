package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	service  = "_coracle._tcp.local."
	services = "_services._dns-sd._udp.local." // lists kinds of services (RFC 6763 section 9)

	// The top bit of a class: in a question, an answer to the asker alone will do; in an answer, it replaces what was
	// known (RFC 6762 sections 5.4 and 10.2).
	topBit = 1 << 15

	hostTTL    = 120  // seconds, of records with a host's name (RFC 6762 section 10)
	otherTTL   = 4500 // of others
	legacyTTL  = 10   // at most, in an answer to a resolver that is none of multicast DNS (section 6.7)
	maxMessage = 9000 // bytes (section 17)
)

// question is a query, as far as a responder has to know it.
type question struct {
	id      uint16
	asked   []dnsmessage.Question
	known   bool // the asker has heard of this machine already
	unicast bool // every question allows an answer to the asker alone
}

// parseQuestion reads a query. What follows something that cannot be read is left out: others' names may be of a form
// that the library does not have.
func parseQuestion(packet []byte, instance string) (q question, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil || h.Response || h.OpCode != 0 {
		return q, false
	}
	q.id, q.unicast = h.ID, true
	for {
		asked, err := p.Question()
		if err != nil {
			break
		}
		q.unicast = q.unicast && asked.Class&topBit != 0
		asked.Class &^= topBit
		q.asked = append(q.asked, asked)
	}
	if p.SkipAllQuestions() != nil {
		return q, len(q.asked) > 0
	}
	for {
		answer, err := p.Answer()
		if err != nil {
			return q, len(q.asked) > 0
		}
		pointer, is := answer.Body.(*dnsmessage.PTRResource)
		if is && same(answer.Header.Name, service) && same(pointer.PTR, instance+"."+service) && answer.Header.TTL >= otherTTL/2 {
			q.known = true
		}
	}
}

// same compares names as DNS does.
func same(name dnsmessage.Name, with string) bool { return strings.EqualFold(name.String(), with) }

// concerns is which of the questions ask for this machine.
func (q question) concerns(i Info) (list []dnsmessage.Question) {
	for _, a := range q.asked {
		if a.Class != dnsmessage.ClassINET && a.Class != dnsmessage.ClassANY {
			continue
		}
		is := func(types ...dnsmessage.Type) bool {
			for _, t := range append(types, dnsmessage.TypeALL) {
				if a.Type == t {
					return true
				}
			}
			return false
		}
		if (same(a.Name, service) || same(a.Name, services)) && is(dnsmessage.TypePTR) && !q.known ||
			same(a.Name, i.instance()+"."+service) && is(dnsmessage.TypeSRV, dnsmessage.TypeTXT) ||
			same(a.Name, i.host()) && is(dnsmessage.TypeA, dnsmessage.TypeAAAA) {
			list = append(list, a)
		}
	}
	return list
}

// answer makes the packet that says everything of the machine, which is little enough to say it whatever was asked.
// legacy is the question of a resolver that is none of multicast DNS; nil: none. goodbye takes all of it back.
func (i Info) answer(addresses []netip.Addr, legacy *question, goodbye bool) ([]byte, error) {
	header := dnsmessage.Header{Response: true, Authoritative: true}
	if legacy != nil {
		header.ID = legacy.id
	}
	b := dnsmessage.NewBuilder(nil, header)
	b.EnableCompression()
	w := writer{b: &b, legacy: legacy != nil, goodbye: goodbye}
	if legacy != nil {
		w.do(b.StartQuestions())
		for _, asked := range legacy.asked {
			w.do(b.Question(asked))
		}
	}
	instance, host := w.name(i.instance()+"."+service), w.name(i.host())
	w.do(b.StartAnswers())
	w.do(b.PTRResource(w.header(service, otherTTL, false), dnsmessage.PTRResource{PTR: instance}))
	if !goodbye { // another machine may have the service too
		w.do(b.PTRResource(w.header(services, otherTTL, false), dnsmessage.PTRResource{PTR: w.name(service)}))
	}
	w.do(b.SRVResource(w.header(instance.String(), hostTTL, true), dnsmessage.SRVResource{Target: host, Port: i.Port}))
	w.do(b.TXTResource(w.header(instance.String(), otherTTL, true), dnsmessage.TXTResource{TXT: i.text()}))
	for _, a := range addresses {
		if a.Is4() {
			w.do(b.AResource(w.header(host.String(), hostTTL, true), dnsmessage.AResource{A: a.As4()}))
		} else {
			w.do(b.AAAAResource(w.header(host.String(), hostTTL, true), dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
	packet, err := b.Finish()
	if err = errors.Join(w.err, err); err != nil {
		return nil, fmt.Errorf("announce %q: %w", i.instance(), err)
	}
	return packet, nil
}

// writer keeps the first error.
type writer struct {
	b               *dnsmessage.Builder
	legacy, goodbye bool
	err             error
}

func (w *writer) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) name(s string) dnsmessage.Name {
	n, err := dnsmessage.NewName(s)
	w.do(err)
	return n
}

// header of a record. unique: no other machine has one of this name.
func (w *writer) header(name string, ttl uint32, unique bool) dnsmessage.ResourceHeader {
	h := dnsmessage.ResourceHeader{Name: w.name(name), Class: dnsmessage.ClassINET, TTL: ttl}
	switch {
	case w.goodbye:
		h.TTL = 0
	case w.legacy:
		h.TTL = min(ttl, legacyTTL)
	}
	if unique && !w.legacy {
		h.Class |= topBit
	}
	return h
}

// ask makes the query for all machines.
func ask() ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	err := b.StartQuestions()
	if err == nil {
		err = b.Question(dnsmessage.Question{
			Name: dnsmessage.MustNewName(service), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET,
		})
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}

// parseAnswer reads an answer that came from the address from; ok is false when it tells of no machine.
func parseAnswer(packet []byte, from netip.Addr) (m Machine, ok bool) {
	var p dnsmessage.Parser
	if h, err := p.Start(packet); err != nil || !h.Response || p.SkipAllQuestions() != nil {
		return m, false
	}
	records, err := p.AllAnswers()
	if err != nil {
		return m, false
	}
	if p.SkipAllAuthorities() == nil {
		if more, err := p.AllAdditionals(); err == nil {
			records = append(records, more...)
		}
	}
	addresses := []netip.Addr{from}
	for _, r := range records {
		ours := strings.HasSuffix(strings.ToLower(r.Header.Name.String()), "."+service)
		switch body := r.Body.(type) {
		case *dnsmessage.SRVResource:
			if ours && r.Header.TTL > 0 {
				m.Port = body.Port
			}
		case *dnsmessage.TXTResource:
			if ours {
				m.readText(body.TXT)
			}
		case *dnsmessage.AResource:
			addresses = append(addresses, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			addresses = append(addresses, netip.AddrFrom16(body.AAAA))
		}
	}
	if m.Port == 0 || m.Fingerprint == "" {
		return m, false
	}
	seen := map[netip.Addr]bool{}
	for _, a := range addresses {
		a = a.Unmap()
		if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" && from.Is6() {
			a = a.WithZone(from.Zone())
		}
		if !a.IsValid() || seen[a] || a.IsMulticast() || a.IsUnspecified() ||
			a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" { // of no use without its zone
			continue
		}
		seen[a] = true
		m.Addresses = append(m.Addresses, netip.AddrPortFrom(a, m.Port))
	}
	sortAddresses(m.Addresses, from.Unmap())
	return m, len(m.Addresses) > 0
}

package discovery

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	look    = 2 * time.Second // how often it is looked whether the machine has changed
	repeat  = time.Second     // after which an announcement is said again, as packets get lost (RFC 6762 section 8.3)
	between = time.Second     // the least time between answers on an interface (section 6)
)

// Announce answers those who look for machines, and says so unasked when info is another than before, until ctx ends;
// then it takes that back. info is asked every few seconds. The machine is found on the interfaces that have
// Info.Addresses; an Info without a fingerprint is not announced yet.
func Announce(ctx context.Context, info func() Info, log *slog.Logger) {
	var all sync.WaitGroup
	for _, group := range []netip.Addr{group4, group6} {
		s, err := listen(netip.AddrPortFrom(group, Port))
		if err != nil {
			log.Warn("the machine cannot be found by all on its network", "error", err) // no IPv6, or no IPv4
			continue
		}
		a := &announcer{socket: s, log: log, joined: map[string]int{}, answered: map[int]time.Time{}}
		all.Go(func() { a.run(ctx, info) })
	}
	all.Wait()
}

// announcer does that for one IP version.
type announcer struct {
	*socket
	log *slog.Logger

	mu       sync.Mutex
	info     Info
	joined   map[string]int    // interfaces: name → index
	settled  bool              // all interfaces of info are joined
	answered map[int]time.Time // when the group was last sent to, by interface
}

// run announces changes, and answers questions beside that.
func (a *announcer) run(ctx context.Context, info func() Info) {
	var answers sync.WaitGroup
	defer answers.Wait()
	defer a.conn.Close()
	answers.Go(a.answerAll)

	var again <-chan time.Time
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if a.update(info()) {
			a.sayAll(false)
			again = time.After(repeat)
		}
		select {
		case <-ctx.Done():
			a.sayAll(true)
			return
		case <-again:
			again = nil
			a.sayAll(false)
		case <-tick.C:
		}
	}
}

// update takes over what is new, and joins the group on new interfaces. changed is whether there is something to say.
func (a *announcer) update(now Info) (changed bool) {
	if now.Fingerprint == "" {
		return false
	}
	a.mu.Lock()
	before, settled := a.info, a.settled
	a.mu.Unlock()
	if settled && before.equal(now) {
		return false // nearly always: the kernel need not be asked for its interfaces
	}
	if before.Fingerprint != "" && (before.instance() != now.instance() || before.host() != now.host()) {
		a.sayAll(true) // under the name that it had
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.info, a.settled = now, true
	for _, address := range now.Addresses {
		i, err := net.InterfaceByName(address.Interface)
		if err != nil {
			a.settled = false
			continue
		}
		if a.joined[i.Name] == i.Index {
			continue
		}
		if err := a.join(i); err != nil && !strings.Contains(err.Error(), "in use") { // in use: joined before
			a.log.Debug("multicast DNS", "interface", i.Name, "error", err)
			a.settled = false
			continue
		}
		a.joined[i.Name] = i.Index
		changed = true
	}
	return changed || !before.equal(now)
}

// sayAll says on every interface what there is, or that it is no more.
func (a *announcer) sayAll(goodbye bool) {
	a.mu.Lock()
	info, joined := a.info, a.joined
	var interfaces []net.Interface
	for name, index := range joined {
		if len(info.on(name)) > 0 {
			interfaces = append(interfaces, net.Interface{Index: index, Name: name})
		}
	}
	a.mu.Unlock()
	for _, i := range interfaces {
		a.say(info, &i, goodbye)
	}
}

func (a *announcer) say(info Info, on *net.Interface, goodbye bool) {
	packet, err := info.answer(addressesOf(info.on(on.Name)), nil, goodbye)
	if err == nil {
		if found, e := net.InterfaceByIndex(on.Index); e == nil { // with its addresses, which IPv4 needs
			on = found
		}
		err = a.multicast(packet, on)
	}
	if err != nil {
		a.log.Debug("multicast DNS", "interface", on.Name, "error", err)
	}
}

// answerAll answers questions until the socket is closed.
func (a *announcer) answerAll() {
	buffer := make([]byte, maxMessage)
	for {
		n, index, from, err := a.read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as a network that went down
			a.log.Debug("multicast DNS", "error", err)
			time.Sleep(between)
			continue
		}
		if udp, ok := from.(*net.UDPAddr); ok {
			a.answer(buffer[:n], index, udp)
		}
	}
}

// answer answers one question.
func (a *announcer) answer(packet []byte, index int, from *net.UDPAddr) {
	a.mu.Lock()
	info, on := a.info, a.interfaceOf(index)
	a.mu.Unlock()
	if on == nil || info.Fingerprint == "" {
		return
	}
	prefixes := info.on(on.Name)
	q, ok := parseQuestion(packet, info.instance())
	if !ok || len(prefixes) == 0 || !onLink(from.AddrPort().Addr().Unmap(), prefixes) {
		return // those elsewhere are not answered (RFC 6762 section 11), as their address may be a victim's
	}
	concerns := q.concerns(info)
	switch {
	case len(concerns) == 0:
	case from.Port != Port: // a resolver that is none of multicast DNS, such as [Browse]
		q.asked = concerns
		a.reply(info, prefixes, &q, from)
	case q.unicast:
		a.reply(info, prefixes, nil, from)
	case a.mayAnswer(index, time.Now()):
		a.say(info, on, false)
	}
}

func (a *announcer) reply(info Info, prefixes []netip.Prefix, legacy *question, to net.Addr) {
	packet, err := info.answer(addressesOf(prefixes), legacy, false)
	if err == nil {
		err = a.send(packet, to)
	}
	if err != nil {
		a.log.Debug("multicast DNS", "to", to, "error", err)
	}
}

// interfaceOf is the joined interface with that index, or nil. a.mu is held.
func (a *announcer) interfaceOf(index int) *net.Interface {
	for name, i := range a.joined {
		if i == index {
			return &net.Interface{Index: i, Name: name}
		}
	}
	return nil
}

// mayAnswer is whether the group may be sent an answer on an interface again.
func (a *announcer) mayAnswer(index int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.answered[index]) < between {
		return false
	}
	a.answered[index] = now
	return true
}

func onLink(from netip.Addr, prefixes []netip.Prefix) bool {
	from = from.WithZone("")
	return from.IsLinkLocalUnicast() || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(from) })
}

func addressesOf(prefixes []netip.Prefix) []netip.Addr {
	list := make([]netip.Addr, len(prefixes))
	for i, p := range prefixes {
		list[i] = p.Addr()
	}
	return list
}

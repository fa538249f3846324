package network

import "time"

// step is what a lease needs next.
type step int

const (
	renew  step = iota // ask its server
	rebind             // ask any server
	expire             // it has ended
)

// nextStep is what to do with l at now, and how long to wait before that.
func nextStep(l *lease, now time.Duration) (step, time.Duration) {
	end, ends := l.ends()
	switch age := now - l.Acquired; {
	case !ends:
		return renew, time.Hour // and again: for ever
	case now >= end:
		return expire, 0
	case age >= l.Rebind:
		return rebind, 0
	default:
		return renew, max(0, l.Renew-age)
	}
}

// retryAfter is the pause after a try that had no answer: half of what is left until the next step, but 60 s at least
// (RFC 2131, section 4.4.5); less only when less is left.
func retryAfter(l *lease, tried step, now time.Duration) time.Duration {
	next := l.Acquired + l.Rebind
	if tried == rebind {
		next = l.Acquired + l.Lifetime
	}
	left := next - now
	return max(100*time.Millisecond, min(max(left/2, time.Minute), left))
}

// inherit fills in what a renewal leaves out: some servers, Windows' among them, then send the times only.
func (l *lease) inherit(old *lease) *lease {
	if l.Address.Addr() != old.Address.Addr() || len(l.Routes)+len(l.Nameservers) > 0 {
		return l
	}
	filled := *old
	filled.Server, filled.ServerID = l.Server, l.ServerID
	filled.Acquired, filled.Renew, filled.Rebind, filled.Lifetime = l.Acquired, l.Renew, l.Rebind, l.Lifetime
	return &filled
}

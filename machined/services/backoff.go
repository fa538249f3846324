package services

import "time"

// Pauses before kube is started again. A component that fails at once must not keep the CPU, the flash and the log busy.
const (
	firstPause  = time.Second
	longest     = time.Minute
	stableAfter = 5 * time.Minute // a run this long starts over with firstPause
)

// backoff counts runs that ended soon.
type backoff struct{ next time.Duration }

// pause is how long to wait after a run.
func (b *backoff) pause(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= stableAfter {
		b.next = firstPause
	}
	p := b.next
	b.next = min(2*b.next, longest)
	return p
}

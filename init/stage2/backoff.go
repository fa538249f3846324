package main

import "time"

// The pauses before machined is started again: they double from the first to the longest, and start over when it
// ran for steady.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	steady       = 60 * time.Second
)

// backoff says how long to wait before the next start.
type backoff struct{ last time.Duration }

// next is the pause after a run that took ran.
func (b *backoff) next(ran time.Duration) time.Duration {
	if ran >= steady || b.last == 0 {
		b.last = firstPause
	} else {
		b.last = min(2*b.last, longestPause)
	}
	return b.last
}

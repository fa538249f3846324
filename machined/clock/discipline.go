package clock

import "time"

// action is what to do with the clock.
type action int

const (
	slew action = iota // let it run faster or slower
	step               // set it
	wait               // look again first
)

const (
	stepAbove = 128 * time.Millisecond // RFC 5905's step threshold
	// outlierPolls is how many polls in a row must find a clock that was right off by more than stepAbove, before it
	// is set: one poll may have met a busy network, or a server that is wrong.
	outlierPolls = 2

	minPoll = 64 * time.Second
	maxPoll = time.Hour

	firstRetry = 2 * time.Second
	maxRetry   = 5 * time.Minute // until the first answer; a change of the network asks at once
)

// discipline decides how the clock follows the servers.
type discipline struct {
	synced   bool // the clock was right once
	outliers int  // polls in a row that were off
	poll     time.Duration
	retry    time.Duration
}

// answered takes what a poll found, and returns what to do and when to poll again.
func (d *discipline) answered(offset time.Duration) (action, time.Duration) {
	d.retry = 0
	switch off := offset.Abs() > stepAbove; {
	case off && d.synced && d.outliers+1 < outlierPolls:
		d.outliers++
		d.poll = minPoll
		return wait, d.poll
	case off:
		d.synced, d.outliers, d.poll = true, 0, minPoll
		return step, d.poll
	case !d.synced || d.outliers > 0:
		d.synced, d.outliers, d.poll = true, 0, minPoll
	case offset.Abs() < stepAbove/4:
		d.poll = min(max(2*d.poll, minPoll), maxPoll)
	default: // it drifts: look more often
		d.poll = max(d.poll/2, minPoll)
	}
	return slew, d.poll
}

// failed returns when to poll again after no server gave an answer that can be used.
func (d *discipline) failed() time.Duration {
	if d.synced {
		d.poll = min(max(2*d.poll, minPoll), maxPoll)
		return d.poll
	}
	d.retry = min(max(2*d.retry, firstRetry), maxRetry)
	return d.retry
}

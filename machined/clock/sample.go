package clock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beevik/ntp"
)

// sample is what a server said once.
type sample struct {
	offset time.Duration // to add to our clock
	delay  time.Duration // of the round trip; half of it is how wrong offset may be
}

// answer is what a server is believed to say.
type answer struct {
	server string
	sample
}

// limits are the times that a server may claim. An hour of 2001 or of 2099 is a server's battery, not the time.
type limits struct{ earliest, latest time.Time }

// lifetime is how long after its build a release may run. It is generous: machines are forgotten in cupboards.
const lifetime = 30 * 365 * 24 * time.Hour

// during is the limits of a release that was built at that time.
func during(built time.Time) limits { return limits{built, built.Add(lifetime)} }

// check returns why time now, which a server claims, cannot be.
func (l limits) check(now time.Time) error {
	switch {
	case now.Before(l.earliest):
		return fmt.Errorf("says that it is %s, but this release was built %s", day(now), day(l.earliest))
	case now.After(l.latest):
		return fmt.Errorf("says that it is %s, which is after %s", day(now), day(l.latest))
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

const (
	samples       = 3
	sampleSpacing = 250 * time.Millisecond
	sampleTimeout = 4 * time.Second
)

// errKissed is that a server asked not to be asked (RFC 5905, section 7.4).
var errKissed = errors.New("asked us to leave it alone")

// ask takes several samples from a server and returns the one with the least delay, whose offset is the most exact.
func ask(ctx context.Context, server string, l limits) (answer, error) {
	var got []sample
	for i := range samples {
		if i > 0 {
			select {
			case <-ctx.Done():
				return answer{}, ctx.Err()
			case <-time.After(sampleSpacing):
			}
		}
		s, err := askOnce(server, l)
		if err != nil && (len(got) == 0 || errors.Is(err, errKissed)) {
			return answer{}, fmt.Errorf("time server %s: %w", server, err)
		}
		if err == nil {
			got = append(got, s)
		}
	}
	return answer{server, best(got)}, nil
}

func askOnce(server string, l limits) (sample, error) {
	r, err := ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: sampleTimeout})
	if err != nil {
		return sample{}, err
	}
	if r.IsKissOfDeath() {
		return sample{}, fmt.Errorf("%w (%s)", errKissed, r.KissCode)
	}
	if err := l.check(r.Time); err != nil { // before anything else: it is what a person can do something about
		return sample{}, err
	}
	if err := r.Validate(); err != nil {
		return sample{}, err
	}
	return sample{r.ClockOffset, r.RTT}, nil
}

func best(s []sample) sample {
	return slices.MinFunc(s, func(a, b sample) int { return cmp.Compare(a.delay, b.delay) })
}

// agreeWithin is how far apart the offsets of two servers that agree may be: a bad mobile network, not more.
const agreeWithin = time.Second

// errAlone is that nobody agrees with a server whose time is before the saved one.
var errAlone = errors.New("the time that was saved last; in that no server is believed alone")

// believed picks the answers that may set the clock at now, and says what is wrong with the others: a step to before saved
// takes two servers that agree.
func believed(answers []answer, now, saved time.Time) (good []answer, alone []error) {
	for _, a := range answers {
		claims := now.Add(a.offset)
		agrees := func(b answer) bool { return b.server != a.server && (a.offset-b.offset).Abs() <= agreeWithin }
		if a.offset.Abs() > stepAbove && claims.Before(saved) && !slices.ContainsFunc(answers, agrees) {
			alone = append(alone, fmt.Errorf("time server %s: says that it is %s, which is before %s, %w", a.server, minute(claims), minute(saved), errAlone))
			continue
		}
		good = append(good, a)
	}
	return good, alone
}

// choose picks one of the answers, which are in the order of the servers' preference: of three or more
// the median, so that one server that is wrong does no harm; else the first.
func choose(answers []answer) answer {
	if len(answers) < 3 {
		return answers[0]
	}
	sorted := slices.SortedFunc(slices.Values(answers), func(a, b answer) int { return cmp.Compare(a.offset, b.offset) })
	return sorted[len(sorted)/2]
}

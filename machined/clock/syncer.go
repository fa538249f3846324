package clock

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// State is how the clock is doing.
type State struct {
	Synced   bool          // a server has set the clock since the machine started
	Offset   time.Duration // that the last poll found; positive: the clock was behind
	Source   string        // the server that was believed last
	LastSync time.Time     // when
	Problem  string        // why the clock is not, or no longer, set by a server; empty: all is well
	Refused  bool          // Problem is that a server's time is before the saved one
}

// Syncer keeps the clock right by SNTP. Make one with [New].
type Syncer struct {
	limits limits
	saved  string // path
	log    *slog.Logger
	clock  interface {
		Step(offset time.Duration) error
		Slew(offset, poll time.Duration) error
		SetRTC() error
	}

	wake chan struct{} // the servers or the network changed

	mu      sync.Mutex
	servers []string
	chosen  bool                 // by the owner of the machine
	kissed  map[string]time.Time // servers that asked to be left alone, and until when
	state   State
	changed chan struct{}
}

const (
	saveEvery = time.Hour
	atOnce    = 3 // servers asked in a poll
	kissRest  = time.Hour
	// unsyncedAfter is how long no server may answer before a person should know. An oscillator of 50 ppm is then
	// 4 s off.
	unsyncedAfter = 24 * time.Hour
)

// New returns a Syncer of a release that was built at that time. Its Run saves the time at path every hour, as soon as
// the directory of that is there.
func New(built time.Time, path string, log *slog.Logger) *Syncer {
	return &Syncer{
		limits: during(built), saved: path, log: log, clock: kernel{},
		wake: make(chan struct{}, 1), kissed: map[string]time.Time{}, changed: make(chan struct{}),
	}
}

// SetServers says whom to ask, the best first: host, host:port or address. With none the clock runs free. chosen is
// whether the owner of the machine named them: then one alone may set the clock to before the saved time.
func (s *Syncer) SetServers(servers []string, chosen bool) {
	s.mu.Lock()
	same := slices.Equal(s.servers, servers) && s.chosen == chosen
	s.servers, s.chosen = slices.Clone(servers), chosen
	s.mu.Unlock()
	if !same {
		s.Wake()
	}
}

// Wake asks the servers now if none has answered yet: the network has changed.
func (s *Syncer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// State returns the state and a channel that is closed when it has changed.
func (s *Syncer) State() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.changed
}

func (s *Syncer) update(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.state
	if change(&s.state); s.state != before {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// Run keeps the clock until ctx ends, and then saves the time.
func (s *Syncer) Run(ctx context.Context) {
	var d discipline
	poll := time.NewTimer(0)
	defer poll.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	defer s.save()
	for {
		select {
		case <-ctx.Done():
			return
		case <-save.C:
			s.save()
			continue
		case <-s.wake:
			if d.synced {
				continue
			}
			d.retry = 0
		case <-poll.C:
		}
		select {
		case <-s.wake: // what it would tell is seen now
		default:
		}
		if next := s.poll(ctx, &d); next > 0 {
			poll.Reset(next)
		}
	}
}

// poll asks the servers, sets the clock, and returns when to do so again; 0: when woken.
func (s *Syncer) poll(ctx context.Context, d *discipline) time.Duration {
	servers := s.candidates(time.Now())
	if len(servers) == 0 {
		return s.idle(d)
	}
	answers, err := s.askAll(ctx, servers)
	if ctx.Err() != nil {
		return 0
	}
	if len(answers) == 0 {
		next := d.failed()
		s.log.Info("no time server gave the time", "error", err, "next", next)
		s.fail(err)
		return next
	}
	chosen := choose(answers)
	first := !d.synced
	do, next := d.answered(chosen.offset)
	if err := s.set(do, chosen, next); err != nil {
		s.log.Error("set the clock", "error", err)
		s.fail(err)
		return d.failed()
	}
	if do == wait {
		s.log.Info("the clock seems to be off", "server", chosen.server, "offset", chosen.offset, "next", next)
		return next
	}
	s.update(func(st *State) {
		*st = State{Synced: true, Offset: chosen.offset, Source: chosen.server, LastSync: time.Now()}
	})
	if first || do == step {
		s.log.Info("the clock is set", "server", chosen.server, "offset", chosen.offset)
		if err := s.clock.SetRTC(); err != nil {
			s.log.Info("hardware clock", "error", err)
		}
		s.save()
	}
	return next
}

// set does what was decided.
func (s *Syncer) set(do action, a answer, poll time.Duration) error {
	if do == wait {
		return nil
	}
	rest := a.offset
	if do == step {
		if err := s.clock.Step(a.offset); err != nil {
			return err
		}
		rest = 0
	}
	return s.clock.Slew(rest, poll) // after a step too: it says that the clock is synchronised
}

// candidates are the servers to ask, without those that asked to be left alone.
func (s *Syncer) candidates(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var servers []string
	for _, server := range s.servers {
		if until, ok := s.kissed[server]; ok && now.Before(until) {
			continue
		}
		delete(s.kissed, server)
		servers = append(servers, server)
	}
	return servers
}

// idle is a poll without a server to ask.
func (s *Syncer) idle(d *discipline) time.Duration {
	s.mu.Lock()
	resting := len(s.kissed) > 0
	s.mu.Unlock()
	if resting { // the state says so already
		return d.failed()
	}
	s.fail(errors.New("no time server is known"))
	return 0
}

// askAll asks the servers in their order, several at once, until one has given a time that is believed.
func (s *Syncer) askAll(ctx context.Context, servers []string) ([]answer, error) {
	s.mu.Lock()
	chosen := s.chosen
	s.mu.Unlock()
	saved := Floor(s.limits.earliest, s.saved)
	var answers []answer
	var problems, alone []error
	for group := range slices.Chunk(servers, atOnce) {
		got, errs := askGroup(ctx, group, s.limits)
		for i, err := range errs {
			if err == nil {
				answers = append(answers, got[i])
				continue
			}
			problems = append(problems, err)
			if errors.Is(err, errKissed) {
				s.mu.Lock()
				s.kissed[group[i]] = time.Now().Add(kissRest)
				s.mu.Unlock()
			}
		}
		good := answers
		if !chosen {
			good, alone = believed(answers, time.Now(), saved)
		}
		if len(good) > 0 {
			return good, nil
		}
	}
	return nil, errors.Join(append(problems, alone...)...)
}

// askGroup asks all servers at once and returns what each said. It does not wait for anybody once ctx ends: a name
// that cannot be resolved takes long.
func askGroup(ctx context.Context, servers []string, l limits) ([]answer, []error) {
	answers, errs := make([]answer, len(servers)), make([]error, len(servers))
	for i := range errs {
		errs[i] = context.Canceled
	}
	type result struct {
		i int
		answer
		err error
	}
	results := make(chan result, len(servers))
	for i, server := range servers {
		go func() {
			a, err := ask(ctx, server, l)
			results <- result{i, a, err}
		}()
	}
	for range servers {
		select {
		case r := <-results:
			answers[r.i], errs[r.i] = r.answer, r.err
		case <-ctx.Done():
			return answers, errs
		}
	}
	return answers, errs
}

// fail records why no server was believed.
func (s *Syncer) fail(err error) {
	s.update(func(st *State) {
		if !st.Synced || time.Since(st.LastSync) > unsyncedAfter {
			st.Problem, st.Refused = err.Error(), errors.Is(err, errAlone)
		}
	})
}

func (s *Syncer) save() {
	if err := Save(s.saved); err != nil && !errors.Is(err, fs.ErrNotExist) { // DATA may not be mounted yet
		s.log.Warn("save the time", "error", err)
	}
}

package network

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// wpaSupplicant joins Wi-Fi networks.
const wpaSupplicant = "/usr/sbin/wpa_supplicant"

const (
	signalEvery = 10 * time.Second // how often the signal is measured
	stopTime    = 3 * time.Second  // how long wpa_supplicant may take to end
	// Pauses before it is started again.
	firstPause   = time.Second
	longestPause = time.Minute
	stableAfter  = time.Minute // a run this long starts over with firstPause
)

// station keeps a wpa_supplicant running for one interface.
type station struct {
	files   stationFiles
	program string
	log     *slog.Logger // that names the interface
	wake    func()       // has the loop look again
	cancel  context.CancelFunc
	done    chan struct{}
	again   chan struct{} // the config is another

	mu     sync.Mutex
	config string // wanted
	state  WiFi
}

// newStation starts to keep a wpa_supplicant with that config running.
func newStation(ctx context.Context, files stationFiles, program, config string, log *slog.Logger, wake func()) *station {
	ctx, cancel := context.WithCancel(ctx)
	s := &station{
		files: files, program: program, config: config, log: log.With("interface", files.name), wake: wake, cancel: cancel,
		done: make(chan struct{}), again: make(chan struct{}, 1), state: WiFi{Interface: files.name, since: bootTime()},
	}
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
	return s
}

// configure gives it another config, if it is another.
func (s *station) configure(config string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config != config {
		s.config, s.state = config, WiFi{Interface: s.files.name, since: bootTime()}
		offer(s.again, struct{}{})
	}
}

// leave ends the supervision; wpa_supplicant goes on.
func (s *station) leave() {
	s.cancel()
	<-s.done
}

// stop ends wpa_supplicant too.
func (s *station) stop() {
	s.leave()
	s.files.end(s.program)
}

func (s *station) snapshot() WiFi {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// update changes the state, and wakes the loop when more than the signal is another.
func (s *station) update(change func(*WiFi)) {
	s.mu.Lock()
	before := s.state
	change(&s.state)
	if before.Connected && !s.state.Connected {
		s.state.since = bootTime()
	}
	after := s.state
	s.mu.Unlock()
	before.Signal = after.Signal
	if after != before {
		s.wake()
	}
}

// run starts wpa_supplicant whenever it does not run, until ctx ends.
func (s *station) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := bootTime()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // another config
		}
		if bootTime()-began >= stableAfter {
			pause = firstPause
		}
		s.log.Warn("network: Wi-Fi is started again", "error", err, "in", pause)
		s.update(func(w *WiFi) {
			*w = WiFi{Interface: w.Interface, Problem: err.Error(), since: w.since}
		})
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
}

// once runs a wpa_supplicant until it ends or ctx does, or until it is to have another config, which is no error.
func (s *station) once(ctx context.Context) error {
	s.mu.Lock()
	config := s.config
	s.mu.Unlock()
	var ended <-chan struct{}
	control := s.files.adopt(config)
	if control == nil {
		s.files.end(s.program)
		var err error
		if control, ended, err = s.files.start(ctx, s.program, config); err != nil {
			return err
		}
	}
	defer control.close()
	if err := control.expect("ATTACH", "OK"); err != nil {
		s.files.end(s.program)
		return err
	}
	err := s.follow(ctx, control, ended)
	if err != nil && ctx.Err() == nil {
		s.files.end(s.program)
	}
	return err
}

// follow keeps the state as wpa_supplicant says.
func (s *station) follow(ctx context.Context, control *controlSocket, ended <-chan struct{}) error {
	tick := time.NewTicker(signalEvery)
	defer tick.Stop()
	for {
		status, err := control.ask("STATUS")
		if err != nil {
			return s.files.explain(err)
		}
		signal, _ := control.ask("SIGNAL_POLL") // fails while there is nothing to measure
		s.update(func(w *WiFi) {
			w.readStatus(status)
			if w.Connected {
				w.readSignal(signal)
			}
		})
		select {
		case <-ctx.Done():
			return nil
		case <-s.again:
			return nil
		case <-ended:
			return s.files.explain(errors.New("wpa_supplicant ended"))
		case <-control.gone:
			return s.files.explain(errNoAnswer)
		case <-tick.C:
		case e := <-control.events:
			s.update(func(w *WiFi) {
				if w.take(e) {
					s.log.Info("network: Wi-Fi", "event", hostText(e.text))
				}
			})
		}
	}
}

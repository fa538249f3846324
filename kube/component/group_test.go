package component

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

type states struct {
	sync.Mutex
	last  map[string]control.State
	order []string // "name state"
}

func (s *states) Set(name string, state control.State, _ error) {
	s.Lock()
	defer s.Unlock()
	if s.last == nil {
		s.last = map[string]control.State{}
	}
	s.last[name] = state
	s.order = append(s.order, name+" "+string(state))
}

func (s *states) of(name string) control.State {
	s.Lock()
	defer s.Unlock()
	return s.last[name]
}

func (s *states) stopped() []string {
	s.Lock()
	defer s.Unlock()
	var names []string
	for _, line := range s.order {
		if name, found := strings.CutSuffix(line, " stopped"); found {
			names = append(names, name)
		}
	}
	return names
}

func untilCancelled(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func waitFor(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(5 * time.Second):
		t.Fatalf("timed out waiting for %s", what)
	}
}

func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		list []Component
		want string
	}{
		"good":          {[]Component{{Name: "a"}, {Name: "b", After: []string{"a"}}}, ""},
		"twice":         {[]Component{{Name: "a"}, {Name: "a"}}, "twice"},
		"wrong order":   {[]Component{{Name: "b", After: []string{"a"}}, {Name: "a"}}, "not before it"},
		"needs nothing": {[]Component{{Name: "b", After: []string{"z"}}}, "not before it"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Validate(tc.list)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestStartsAfterReadyAndStopsInReverse(t *testing.T) {
	open := make(chan struct{})
	var s states
	g, err := Start(t.Context(), []Component{
		{Name: "first", Run: untilCancelled, Ready: func(context.Context) error {
			select {
			case <-open:
				return nil
			default:
				return errors.New("not yet")
			}
		}},
		{Name: "second", After: []string{"first"}, Run: untilCancelled},
	}, &s, rich)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * PollInterval)
	if got := s.of("second"); got != control.Waiting {
		t.Fatalf("second is %s before first is ready", got)
	}
	close(open)
	waitFor(t, g.Ready("second"), "second")
	g.Stop()
	if got, want := s.stopped(), []string{"second", "first"}; !reflect.DeepEqual(got, want) {
		t.Errorf("stopped in order %v, want %v", got, want)
	}
}

func TestFailureEndsTheGroup(t *testing.T) {
	var s states
	g, err := Start(t.Context(), []Component{
		{Name: "broken", Run: func(context.Context) error { return errors.New("no disk") }},
	}, &s, rich)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-g.Failed():
		if err.Error() != "broken: no disk" {
			t.Errorf("got %q", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("failure was not reported")
	}
	if s.of("broken") != control.Failed {
		t.Errorf("state %s", s.of("broken"))
	}
}

func TestPanicIsAFailure(t *testing.T) {
	var s states
	g, _ := Start(t.Context(), []Component{{Name: "bug", Run: func(context.Context) error { panic("nil map") }}}, &s, rich)
	select {
	case err := <-g.Failed():
		if !strings.Contains(err.Error(), "nil map") {
			t.Errorf("got %q", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("panic was not reported")
	}
}

func TestOptionalOneShotFailsAlone(t *testing.T) {
	var s states
	g, err := Start(t.Context(), []Component{
		{Name: "images", OneShot: true, Optional: true, Run: func(context.Context) error { return errors.New("bad tar") }},
		{Name: "job", OneShot: true, Run: func(context.Context) error { return nil }},
		{Name: "kubelet", After: []string{"images", "job"}, Run: untilCancelled},
	}, &s, rich)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, g.Ready("kubelet"), "kubelet")
	select {
	case err := <-g.Failed():
		t.Fatalf("optional component ended the group: %v", err)
	default:
	}
	if got := s.of("images"); got != control.Failed {
		t.Errorf("images is %s, want failed", got)
	}
	if got := s.of("job"); got != control.Ready {
		t.Errorf("job is %s, want ready", got)
	}
	g.Stop()
}

func TestOptionalOneShotIsDoneAgain(t *testing.T) {
	var s states
	tries := 0
	again := make(chan struct{})
	g, err := start(t.Context(), []Component{
		{Name: "images", OneShot: true, Optional: true, Run: func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("disk full")
			}
			close(again)
			return nil
		}},
	}, &s, rich, time.Millisecond, LiveInterval)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, again, "the third try")
	for deadline := time.Now().Add(5 * time.Second); s.of("images") != control.Ready; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("images is %s, want ready", s.of("images"))
		}
	}
	g.Stop()
}

func TestComponentThatNoLongerLives(t *testing.T) {
	for name, tc := range map[string]struct {
		starved  func(asked int) bool
		patience int
	}{
		"has processors":    {func(int) bool { return false }, LivePatience},
		"is starved":        {func(int) bool { return true }, StarvedPatience},
		"is fed later":      {func(asked int) bool { return asked < 30 }, 30},
		"was starved early": {func(asked int) bool { return asked < LivePatience }, LivePatience},
	} {
		t.Run(name, func(t *testing.T) {
			var s states
			asked, before := 0, 0
			g, err := start(t.Context(), []Component{
				{Name: "hangs", Run: untilCancelled, Live: func(context.Context) error {
					if asked++; before == 0 && asked == LivePatience {
						asked, before = 0, 1
						return nil // once in time: it is left alone
					}
					return errors.New("no answer")
				}},
			}, &s, func() bool { return tc.starved(asked) }, RetryAfter, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-g.Failed():
				if !strings.HasPrefix(err.Error(), "hangs: ") || !strings.Contains(err.Error(), "no answer") {
					t.Errorf("got %q", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("failure was not reported")
			}
			if asked != tc.patience {
				t.Errorf("asked %d times, want %d", asked, tc.patience)
			}
		})
	}
}

// rich is of a process that never waits for a processor.
func rich() bool { return false }

func TestStopLeavesAHangingComponentBehind(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var s states
	g, _ := Start(t.Context(), []Component{
		{Name: "hangs", StopTimeout: 10 * time.Millisecond, Run: func(context.Context) error { <-release; return nil }},
	}, &s, rich)
	waitFor(t, g.Ready("hangs"), "start")
	start := time.Now()
	g.Stop()
	if time.Since(start) > time.Second {
		t.Error("Stop waited for a component that hangs")
	}
}

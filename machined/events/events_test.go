package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

func TestOnlyTheLastAreKept(t *testing.T) {
	var l Log
	for i := range keep + 7 {
		l.Add(Event{Message: fmt.Sprint(i)})
	}
	list, all, changed := l.After(0)
	if len(list) != keep || list[0].Message != "7" || list[keep-1].Message != fmt.Sprint(keep+6) || all != keep+7 {
		t.Errorf("%d events from %s to %s, %d in all", len(list), list[0].Message, list[len(list)-1].Message, all)
	}
	if more, _, _ := l.After(all); len(more) != 0 {
		t.Errorf("%d events after the last", len(more))
	}
	if more, _, _ := l.After(all + 5); len(more) != 0 { // of a reader from before machined was restarted
		t.Errorf("%d events after more than there are", len(more))
	}
	select {
	case <-changed:
		t.Fatal("changed before it did")
	default:
	}
	l.Add(Event{Message: "new"})
	<-changed
	if more, _, _ := l.After(all); len(more) != 1 || more[0].Message != "new" || more[0].Time.IsZero() {
		t.Errorf("%+v", more)
	}
	l.Add(Event{Message: strings.Repeat("x", 1<<20)})
	if last, _, _ := l.After(all + 1); len(last[0].Message) > maxMessage+10 {
		t.Errorf("a message of %d bytes is kept", len(last[0].Message))
	}
}

func TestChanges(t *testing.T) {
	full := state.Condition{ID: "data.full", Severity: state.Warning, Message: "93 % are full"}
	fuller, worse := full, full
	fuller.Message, worse.Severity = "94 % are full", state.Error
	with := func(c ...state.Condition) state.Machine { return state.Machine{Conditions: c} }
	kube := func(p state.Phase, restarts int) state.Machine {
		return state.Machine{Kube: state.Kube{Phase: p, Restarts: restarts, LastExit: "exit code 1", Status: &control.Status{}}}
	}
	for name, tc := range map[string]struct {
		old, new state.Machine
		want     []string
	}{
		"set":             {with(), with(full), []string{"condition warning data.full: 93 % are full"}},
		"another text":    {with(full), with(fuller), nil},
		"worse":           {with(full), with(worse), []string{"condition error data.full: 93 % are full"}},
		"cleared":         {with(full), with(), []string{"condition info data.full: no longer so: 93 % are full"}},
		"started":         {kube(state.Off, 0), kube(state.Starting, 0), []string{"service info kube was started"}},
		"ready":           {kube(state.Starting, 0), kube(state.Ready, 0), []string{"service info kube: the node is Ready"}},
		"ended":           {kube(state.Ready, 0), kube(state.Waiting, 1), []string{"service error kube ended: exit code 1"}},
		"no longer ready": {kube(state.Ready, 0), kube(state.Starting, 0), []string{"service warning kube: the node is no longer Ready"}},
		"config":          {with(), state.Machine{Config: state.Config{Source: "BOOT"}}, []string{"config info the config in force is from BOOT"}},
		"power":           {with(), state.Machine{ShuttingDown: "restart"}, []string{"power info the machine goes down: restart"}},
		"nothing":         {kube(state.Ready, 1), kube(state.Ready, 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range Changes(tc.old, tc.new) {
				got = append(got, fmt.Sprintf("%s %s %s", e.Kind, e.Severity, e.Message))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		store := state.NewStore(state.Machine{})
		store.Set(state.Condition{ID: "a", Severity: state.Error, Message: "b"})
		go l.Watch(t.Context(), store)
		synctest.Wait()
		store.Clear("a")
		synctest.Wait()
		if list, _, _ := l.After(0); len(list) != 2 {
			t.Errorf("%+v", list)
		}
	})
}

func TestManyFailuresAreFewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		f := Failures{Log: &l}
		for i := range 1000 {
			f.Add(fmt.Sprintf("stranger %d", i))
		}
		if list, _, _ := l.After(0); len(list) != 1 || list[0].Message != "stranger 0" {
			t.Errorf("%+v", list)
		}
		time.Sleep(quiet)
		synctest.Wait()
		if list, _, _ := l.After(1); len(list) != 1 || list[0].Message != "999 more callers were refused within 1m0s, the last: stranger 999" {
			t.Errorf("%+v", list)
		}
		time.Sleep(quiet)
		synctest.Wait()
		f.Add("another")
		if list, _, _ := l.After(2); len(list) != 1 || list[0].Message != "another" {
			t.Errorf("%+v", list)
		}
		time.Sleep(2 * quiet) // lets the timer end
	})
}

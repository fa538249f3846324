package state

import "testing"

func TestConditions(t *testing.T) {
	s := NewStore(Machine{Name: "m"})
	_, changed := s.Get()
	s.Set(Condition{ID: "b", Severity: Warning, Message: "b"})
	select {
	case <-changed:
	default:
		t.Fatal("a new condition is no change")
	}
	s.Set(Condition{ID: "a", Severity: Info})
	s.Set(Condition{ID: "c", Severity: Error})
	m, changed := s.Get()
	if len(m.Conditions) != 3 || m.Conditions[0].ID != "c" || m.Conditions[1].ID != "b" || m.Conditions[2].ID != "a" {
		t.Errorf("order: %+v", m.Conditions)
	}

	s.Set(Condition{ID: "b", Severity: Warning, Message: "b"})
	s.Clear("none")
	select {
	case <-changed:
		t.Error("the same condition again is a change")
	default:
	}

	since := m.Conditions[1].Since
	s.Set(Condition{ID: "b", Severity: Warning, Message: "b, differently"})
	m, _ = s.Get()
	if m.Conditions[1].Message != "b, differently" || m.Conditions[1].Since != since {
		t.Errorf("%+v, want since %v", m.Conditions[1], since)
	}
	s.Put(false, Condition{ID: "c"})
	s.Put(true, Condition{ID: "d", Severity: Error})
	if m, _ = s.Get(); len(m.Conditions) != 3 || m.Conditions[0].ID != "d" {
		t.Errorf("%+v", m.Conditions)
	}
}

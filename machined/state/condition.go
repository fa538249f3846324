package state

import (
	"cmp"
	"time"
)

// Severity of a condition.
type Severity string

const (
	Error   Severity = "error"   // the machine does not do its job
	Warning Severity = "warning" // it does, but something needs a person
	Info    Severity = "info"    // worth knowing
)

// rank orders severities, the worst first.
var rank = map[Severity]int{Error: 0, Warning: 1, Info: 2}

// Condition is one thing that is wrong, in words for a person.
type Condition struct {
	ID       string    `json:"id"` // stable, such as config or data.full
	Severity Severity  `json:"severity"`
	Message  string    `json:"message"`        // what is wrong
	Hint     string    `json:"hint,omitempty"` // what to do about it
	Since    time.Time `json:"since"`
}

func worstFirst(a, b Condition) int {
	return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
}

// Set reports that something is wrong, or that it is wrong in another way now.
func (s *Store) Set(c Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.conditions[c.ID]
	c.Since = time.Now()
	if there {
		c.Since = old.Since
	}
	if !there || c != old {
		s.conditions[c.ID] = c
		s.notify()
	}
}

// Clear reports that it is no longer wrong.
func (s *Store) Clear(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.conditions[id]; there {
		delete(s.conditions, id)
		s.notify()
	}
}

// Put sets c when wrong, and clears it otherwise.
func (s *Store) Put(wrong bool, c Condition) {
	if wrong {
		s.Set(c)
	} else {
		s.Clear(c.ID)
	}
}

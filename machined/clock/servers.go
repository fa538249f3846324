package clock

import "slices"

// Servers are those that are asked, the best first.
func (s *Syncer) Servers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.servers)
}

package api

import "testing"

// TestEveryMethodNeedsARole fails when a method is added that anybody may call.
func TestEveryMethodNeedsARole(t *testing.T) {
	open := map[string]bool{"GetVersion": true}
	seen := map[string]bool{}
	for _, m := range methods {
		if seen[m.name] {
			t.Errorf("%s is there twice", m.name)
		}
		seen[m.name] = true
		if _, known := rank[m.role]; !known {
			t.Errorf("%s needs the role %q, which does not exist", m.name, m.role)
		}
		if m.role == anybody && !open[m.name] {
			t.Errorf("anybody may call %s", m.name)
		}
		if m.serve == nil {
			t.Errorf("%s does nothing", m.name)
		}
	}
}

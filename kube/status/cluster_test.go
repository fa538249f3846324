package status

import "testing"

func TestReadyState(t *testing.T) {
	var s readyState
	for i, step := range []struct{ ok, want bool }{
		{false, false}, {true, true}, // starting
		{false, true}, {false, true}, {true, true}, // a slow moment
		{false, true}, {false, true}, {false, false}, {false, false}, // gone
		{true, true},
	} {
		if got := s.next(step.ok); got != step.want {
			t.Errorf("step %d: ready %v, want %v", i+1, got, step.want)
		}
	}
}

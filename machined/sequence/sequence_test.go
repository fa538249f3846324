package sequence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(d time.Duration, err error) func(int, context.Context) error {
			return func(int, context.Context) error { time.Sleep(d); return err }
		}
		began := time.Now()
		var over []string
		err := Run(t.Context(), 0, []Phase[int]{
			{"slow", nil, wait(10*time.Second, nil)},
			{"fails", nil, wait(time.Second, errors.New("no"))},
			{"after failure", []string{"fails"}, wait(time.Second, nil)},
			{"last", []string{"slow", "after failure"}, wait(time.Second, nil)},
		}, func(r Result) { over = append(over, r.Name) })
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"fails", "after failure", "slow", "last"}; !slices.Equal(over, want) {
			t.Errorf("order %v, want %v", over, want)
		}
		if took := time.Since(began); took != 11*time.Second {
			t.Errorf("took %s: phases waited for others than they had to", took)
		}
	})
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		phases []Phase[int]
		want   string
	}{
		"good":   {[]Phase[int]{{Name: "a"}, {Name: "b", After: []string{"a"}}}, ""},
		"twice":  {[]Phase[int]{{Name: "a"}, {Name: "a"}}, "twice"},
		"none":   {[]Phase[int]{{Name: "a", After: []string{"b"}}}, "not above"},
		"circle": {[]Phase[int]{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}}, "not above"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(tc.phases)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

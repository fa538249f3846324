package clock

import (
	"slices"
	"testing"
	"time"
)

func TestDiscipline(t *testing.T) {
	const (
		ms  = time.Millisecond
		sec = time.Second
		no  = time.Duration(-1 << 62) // no answer
	)
	type result struct {
		do   action
		next time.Duration
	}
	const nothing = action(-1)
	tests := []struct {
		name   string
		found  []time.Duration
		expect []result
	}{
		{"first sync, from 1970", []time.Duration{56 * 365 * 24 * time.Hour}, []result{{step, 64 * sec}}},
		{"first sync, clock ahead", []time.Duration{-2 * time.Hour}, []result{{step, 64 * sec}}},
		{"first sync, nearly right", []time.Duration{100 * ms}, []result{{slew, 64 * sec}}},
		{"polls grow to an hour", []time.Duration{ms, ms, -ms, ms, ms, ms, ms, ms},
			[]result{{slew, 64 * sec}, {slew, 128 * sec}, {slew, 256 * sec}, {slew, 512 * sec}, {slew, 1024 * sec}, {slew, 2048 * sec}, {slew, time.Hour}, {slew, time.Hour}}},
		{"drift brings them down", []time.Duration{ms, ms, ms, 60 * ms, 60 * ms, 60 * ms}, []result{{slew, 64 * sec}, {slew, 128 * sec}, {slew, 256 * sec}, {slew, 128 * sec}, {slew, 64 * sec}, {slew, 64 * sec}}},
		{"one outlier is not believed", []time.Duration{ms, 10 * sec, ms, ms}, []result{{slew, 64 * sec}, {wait, 64 * sec}, {slew, 64 * sec}, {slew, 128 * sec}}},
		{"two in a row are", []time.Duration{ms, 10 * sec, 10 * sec}, []result{{slew, 64 * sec}, {wait, 64 * sec}, {step, 64 * sec}}},
		{"no answer at first", []time.Duration{no, no, no, no, no, no, no, no, no, ms, no},
			[]result{{nothing, 2 * sec}, {nothing, 4 * sec}, {nothing, 8 * sec}, {nothing, 16 * sec}, {nothing, 32 * sec}, {nothing, 64 * sec}, {nothing, 128 * sec}, {nothing, 256 * sec}, {nothing, 5 * time.Minute}, {slew, 64 * sec}, {nothing, 128 * sec}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d discipline
			var got []result
			for _, offset := range test.found {
				if offset == no {
					got = append(got, result{nothing, d.failed()})
					continue
				}
				do, next := d.answered(offset)
				got = append(got, result{do, next})
			}
			if !slices.Equal(got, test.expect) {
				t.Errorf("got  %v\nwant %v", got, test.expect)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	a := func(server string, offset time.Duration) answer { return answer{server, sample{offset: offset}} }
	tests := []struct {
		name    string
		answers []answer
		want    string
	}{
		{"one", []answer{a("a", 5)}, "a"},
		{"two: the preferred one", []answer{a("a", 5), a("b", 1)}, "a"},
		{"three: one that is wrong loses", []answer{a("wrong", time.Hour), a("b", 3), a("c", 1)}, "b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := choose(test.answers); got.server != test.want {
				t.Errorf("chose %s, want %s", got.server, test.want)
			}
		})
	}
}

func TestBest(t *testing.T) {
	got := best([]sample{{offset: 9, delay: 30}, {offset: 1, delay: 10}, {offset: 5, delay: 20}})
	if got.offset != 1 {
		t.Errorf("best is %+v", got)
	}
}

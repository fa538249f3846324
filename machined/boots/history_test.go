package boots

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shown is a history in short: of each boot its ID, and what is known of it.
func shown(h History) string {
	var list []string
	for _, b := range h.Boots {
		text := b.ID
		if b.Healthy {
			text += "+"
		}
		if b.Safe {
			text += "s"
		}
		if b.Watchdog {
			text += "w"
		}
		list = append(list, text)
	}
	return h.Config + ":" + strings.Join(list, " ")
}

func row(ids ...string) History {
	h := History{Config: "c"}
	for _, id := range ids {
		h.Boots = append(h.Boots, Boot{ID: id})
	}
	return h
}

// inSafe is a history of which the last boot is in safe mode.
func inSafe(ids ...string) History {
	h := row(ids...)
	h.Boots[len(ids)-1].Safe = true
	return h
}

var healthy = History{"c", []Boot{{ID: "1", Healthy: true}}}

func TestBegin(t *testing.T) {
	for name, tc := range map[string]struct {
		before History
		start  Start
		want   string
		safe   bool
	}{
		"first boot":                       {History{}, Start{}, "c:b", false},
		"second":                           {row("1"), Start{}, "c:1 b", false},
		"third":                            {row("1", "2"), Start{}, "c:1 2 b", false},
		"fourth is safe":                   {row("1", "2", "3"), Start{}, "c:1 2 3 bs", true},
		"safe mode stays":                  {inSafe("1", "2", "3", "4"), Start{}, "c:1 2 3 bs", true},
		"after a healthy one":              {healthy, Start{}, "c:b", false},
		"machined again":                   {row("1", "2", "3", "b"), Start{}, "c:1 2 3 b", false},
		"machined again, healthy":          {History{"c", []Boot{{ID: "b", Healthy: true}}}, Start{}, "c:b+", false},
		"machined again, safe":             {inSafe("1", "2", "3", "b"), Start{}, "c:1 2 3 bs", true},
		"another config":                   {row("1", "2", "3"), Start{Config: "d"}, "d:b", false},
		"another config in safe mode":      {inSafe("1", "2", "3", "b"), Start{Config: "d"}, "d:b", false},
		"another config, machined again":   {row("1", "2", "b"), Start{Config: "d"}, "d:b", false},
		"another config, healthy":          {History{"c", []Boot{{ID: "b", Healthy: true}}}, Start{Config: "d"}, "d:b+", false},
		"after two":                        {row("1", "2"), Start{After: 2}, "c:1 2 bs", true},
		"never":                            {row("1", "2", "3"), Start{After: -1}, ":", false},
		"trial":                            {row("1", "2", "3"), Start{Trial: true}, "c:1 2 3", false},
		"trial after safe mode":            {inSafe("1", "2", "3", "4"), Start{Trial: true}, "c:1 2 3 4s", false},
		"watchdog":                         {row("1", "2"), Start{Watchdog: true}, "c:1 2w b", false},
		"watchdog, then safe mode":         {row("1", "2", "3"), Start{Watchdog: true}, "c:1 2 3w bs", true},
		"watchdog in safe mode":            {inSafe("1", "2", "3", "4"), Start{Watchdog: true}, "c:1 2 3 bs", true},
		"watchdog of a healthy one":        {healthy, Start{Watchdog: true}, "c:b", false},
		"watchdog, machined again":         {row("1", "b"), Start{Watchdog: true}, "c:1 b", false},
		"watchdog, then another config":    {row("1"), Start{Watchdog: true, Config: "d"}, "d:b", false},
		"left, then one that failed again": {row("4"), Start{}, "c:4 b", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.start
			s.ID = "b"
			if s.After == 0 {
				s.After = 3
			}
			if s.Config == "" {
				s.Config = "c"
			}
			before := shown(tc.before)
			got := tc.before.Begin(s)
			if shown(got) != tc.want || got.safe("b") != tc.safe {
				t.Errorf("%s, safe %v; want %s, %v", shown(got), got.safe("b"), tc.want, tc.safe)
			}
			if !got.valid() {
				t.Errorf("%+v would not be read again", got)
			}
			if again := got.Begin(s); !reflect.DeepEqual(again, got) {
				t.Errorf("begun again it is %+v, was %+v", again, got)
			}
			if after := shown(tc.before); after != before {
				t.Errorf("the history before was %s, is %s", before, after)
			}
		})
	}
}

func TestEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		before History
		want   string
	}{
		"not healthy yet":  {row("1", "2", "b"), "c:"},
		"in safe mode":     {inSafe("1", "2", "3", "b"), "c:"},
		"healthy":          {healthy, "c:1+"},
		"nothing is known": {History{}, ":"},
	} {
		if got := shown(tc.before.ended()); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// TestNote: a boot that never gets healthy costs few writes.
func TestNote(t *testing.T) {
	h, writes := row("1", "b"), []string{}
	for up := time.Duration(0); up < 24*time.Hour; up += 10 * time.Second {
		next := h.note("b", up, []string{"kube does not answer"})
		if !reflect.DeepEqual(next, h) {
			writes = append(writes, up.String())
		}
		h = next
	}
	if got := strings.Join(writes, " "); got != "1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h4m0s 2h8m0s 4h16m0s 8h32m0s 17h4m0s" {
		t.Errorf("written at %s", got)
	}
	if h.Boots[0] != (Boot{ID: "1"}) || h.Boots[1].Problem != "kube does not answer" {
		t.Errorf("%+v", h)
	}
	if got := row("b").note("b", 7*time.Minute, nil); got.Boots[0].Minutes != 4 {
		t.Errorf("first looked at after 7 minutes: %+v", got)
	}
	if got := row("b").note("b", time.Minute, []string{strings.Repeat("é", 400)}); !got.valid() || len(got.Boots[0].Problem) != maxProblem {
		t.Errorf("a long problem: %+v", got)
	}
	if got := row("1").note("b", time.Hour, nil); !reflect.DeepEqual(got, row("1")) {
		t.Errorf("a boot that is not counted: %+v", got)
	}
}

func TestReason(t *testing.T) {
	for name, tc := range map[string]struct {
		history History
		want    string
	}{
		"nothing is known": {
			inSafe("1", "2", "3", "b"),
			"the last 3 boots never got healthy. They ended within a minute, within a minute, within a minute. What ended it is not known: the power failed, or the kernel stopped.",
		},
		"all is known": {
			History{"c", []Boot{{ID: "1"}, {ID: "2", Minutes: 1, Problem: "x"}, {ID: "3", Minutes: 4, Problem: "kube does not answer", Watchdog: true}, {ID: "b", Safe: true}}},
			"the last 3 boots never got healthy. They ended within a minute, after 1 to 2 minutes, after 4 to 8 minutes. Of the last is known: kube does not answer. The watchdog ended it: the machine hung.",
		},
		"healthy": {healthy, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.history.Reason(); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	long, err := json.Marshal(row(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12")...))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"whole":                 {`{"config":"c","boots":[{"id":"1","minutes":2},{"id":"2","safe":true}]}`, "c:1 2s"},
		"missing":               {"", ":"},
		"torn":                  {`{"config":"c","boots":[{"id":"1"},{"id":"2"},{"i`, ":"},
		"zeros":                 {string(make([]byte, 512)), ":"},
		"of another kind":       {`[1,2,3]`, ":"},
		"no ID":                 {`{"config":"c","boots":[{}]}`, ":"},
		"time goes back":        {`{"config":"c","boots":[{"id":"1","minutes":-1}]}`, ":"},
		"time without an end":   {`{"config":"c","boots":[{"id":"1","minutes":9000000000}]}`, ":"},
		"healthy and not":       {`{"config":"c","boots":[{"id":"1","healthy":true},{"id":"2"}]}`, ":"},
		"safe without a cause":  {`{"config":"c","boots":[{"id":"1","safe":true}]}`, ":"},
		"safe in between":       {`{"config":"c","boots":[{"id":"1"},{"id":"2","safe":true},{"id":"3"}]}`, ":"},
		"more than are counted": {string(long), ":"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shown(parse([]byte(tc.text))); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// FuzzParse: whatever is in the file, the machine starts, and what follows can be written and read.
func FuzzParse(f *testing.F) {
	for _, h := range []History{{}, healthy, row("1", "2"), inSafe("1", "2", "3", "4")} {
		text, err := json.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, 3)
		f.Add(text[:len(text)/2], 2)
	}
	f.Fuzz(func(t *testing.T, text []byte, after int) {
		read := parse(text)
		after = min(max(after, 0), MostAfter)
		next := read.Begin(Start{ID: "b", Config: "c", After: after, Watchdog: true})
		for name, h := range map[string]History{
			"read": read, "begun": next, "noted": next.note("b", time.Hour, []string{"x"}), "ended": next.ended(),
		} {
			out, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			if again := parse(out); !reflect.DeepEqual(again, h) {
				t.Errorf("%s: %s is read as %+v", name, out, again)
			}
			if reason := h.Reason(); (reason == "") != (len(h.row()) == 0) {
				t.Errorf("%s: %q of %+v", name, reason, h)
			}
		}
		if next.safe("b") && len(next.row()) < after {
			t.Errorf("in safe mode after %d boots, not %d", len(next.row()), after)
		}
	})
}

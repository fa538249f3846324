// Package boots counts the boots of a machine that never got healthy. After some in a row the machine runs in safe mode: it
// serves its API and starts no workloads, so that a power supply, a disk or a workload that resets it again and again does not
// keep its operator out.
//
// A boot is one run of the kernel, however often machined is started in it. A boot that somebody ended in order, over the API, with
// a key or by an upgrade, ends the row: it did not fail, and somebody is there.
package boots

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MostAfter is how many boots a row can have before safe mode.
	MostAfter = 10
	// maxProblem bounds what is kept of a problem, in bytes.
	maxProblem = 300
	// maxMinutes is longer than any machine runs, and can be doubled.
	maxMinutes = 1 << 28
)

// History is what is kept of the last boots.
type History struct {
	Config string `json:"config"`          // digest of the machine config that they ran with; with another one, they say nothing
	Boots  []Boot `json:"boots,omitempty"` // those in a row that did not get healthy, the oldest first; or one that did
}

// Boot is a boot, as far as its disk knows.
type Boot struct {
	ID       string `json:"id"`                 // the kernel's
	Healthy  bool   `json:"healthy,omitempty"`  // it got healthy
	Safe     bool   `json:"safe,omitempty"`     // it is in safe mode, so it cannot get healthy; no part of the row, and its last
	Minutes  int    `json:"minutes,omitempty"`  // it ran at least, and less than twice that: 0 (less than one), 1, 2, 4, 8, …
	Problem  string `json:"problem,omitempty"`  // what was not well then
	Watchdog bool   `json:"watchdog,omitempty"` // the watchdog ended it
}

// Start is a boot that is to be counted.
type Start struct {
	ID       string // the kernel's
	Config   string // digest of the machine config
	After    int    // safe mode comes after so many boots in a row; 0: never
	Trial    bool   // of a version that has a deadline of its own, after which the version before runs
	Watchdog bool   // the watchdog ended the boot before
}

// parse reads a history. One that is torn, or not as it was written, is none.
func parse(text []byte) History {
	var h History
	if json.Unmarshal(text, &h) != nil || !h.valid() {
		return History{}
	}
	if len(h.Boots) == 0 {
		h.Boots = nil // as it is written
	}
	return h
}

func (h History) valid() bool {
	if len(h.Boots) > MostAfter+1 {
		return false
	}
	for i, b := range h.Boots {
		last := i == len(h.Boots)-1
		switch {
		case b.ID == "" || b.Minutes < 0 || b.Minutes > maxMinutes || len(b.Problem) > maxProblem:
			return false
		case b.Safe && (b.Healthy || !last || i == 0):
			return false
		case b.Healthy && len(h.Boots) > 1:
			return false
		}
	}
	return true
}

// Begin is the history once a boot has begun: with this boot in it, in safe mode or not. More often in the same boot does no
// harm; with another config it begins a new row.
func (h History) Begin(s Start) History {
	switch current := h.at(s.ID); {
	case s.After <= 0:
		return History{}
	case s.Trial:
		return h
	case current != nil && h.Config != s.Config:
		again := *current
		again.Safe = false
		return History{s.Config, []Boot{again}}
	case current != nil:
		return h
	}
	row := h.row()
	if h.Config != s.Config {
		row = nil
	}
	if s.Watchdog && len(row) > 0 && len(row) == len(h.Boots) { // not of a boot in safe mode, which came after the row
		row[len(row)-1].Watchdog = true
	}
	return History{s.Config, append(row, Boot{ID: s.ID, Safe: len(row) >= s.After})}
}

// at is the last boot if it has that ID, else nil.
func (h History) at(id string) *Boot {
	if n := len(h.Boots); n > 0 && h.Boots[n-1].ID == id {
		return &h.Boots[n-1]
	}
	return nil
}

// row lists the boots in a row that did not get healthy. The list may be changed.
func (h History) row() []Boot {
	var row []Boot
	for _, b := range h.Boots {
		if !b.Healthy && !b.Safe {
			row = append(row, b)
		}
	}
	return row
}

// safe is whether that boot is in safe mode.
func (h History) safe(id string) bool {
	b := h.at(id)
	return b != nil && b.Safe
}

// open is whether there is something that the health of that boot decides.
func (h History) open(id string, trial bool) bool {
	if trial { // it is not counted, but ends a row when it is healthy
		return len(h.row()) > 0
	}
	b := h.at(id)
	return b != nil && !b.Healthy && !b.Safe
}

// only is the history with nothing but a boot in it.
func (h History) only(b Boot) History { return History{h.Config, []Boot{b}} }

// ended is the history once the boot was ended in order.
func (h History) ended() History {
	if len(h.row()) == 0 {
		return h
	}
	return History{Config: h.Config}
}

// note is the history with what is known of a boot that does not count as healthy after some time. It is another at 1, 2, 4, 8, …
// minutes only: each change is a write to flash.
func (h History) note(id string, up time.Duration, problems []string) History {
	b := h.at(id)
	if b == nil || up < time.Duration(max(1, 2*b.Minutes))*time.Minute {
		return h
	}
	noted := *b
	for noted.Minutes = max(1, noted.Minutes); up >= time.Duration(2*noted.Minutes)*time.Minute; {
		noted.Minutes *= 2
	}
	problem := strings.Join(problems, "; ")
	noted.Problem = strings.ToValidUTF8(problem[:min(len(problem), maxProblem)], "")
	list := slices.Clone(h.Boots)
	list[len(list)-1] = noted
	return History{h.Config, list}
}

// Reason says what a row of boots that did not get healthy was like.
func (h History) Reason() string {
	row := h.row()
	if len(row) == 0 {
		return ""
	}
	spans := make([]string, len(row))
	for i, b := range row {
		spans[i] = "within a minute"
		if b.Minutes > 0 {
			spans[i] = fmt.Sprintf("after %d to %d minutes", b.Minutes, 2*b.Minutes)
		}
	}
	text := fmt.Sprintf("the last %d boots never got healthy. They ended %s.", len(row), strings.Join(spans, ", "))
	last := row[len(row)-1]
	if last.Problem != "" {
		text += " Of the last is known: " + last.Problem + "."
	}
	if last.Watchdog {
		return text + " The watchdog ended it: the machine hung."
	}
	return text + " What ended it is not known: the power failed, or the kernel stopped."
}

// Package sequence runs the phases of a start: each as soon as those that it comes after are over, all that can at
// the same time.
package sequence

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Phase is a step of a start. D is what the phases work on.
type Phase[D any] struct {
	Name  string
	After []string                       // phases that must be over first, whether they succeeded or not
	Run   func(D, context.Context) error // D first: a method of D fits as (*T).method
}

// Result is how a phase ended.
type Result struct {
	Name string
	Took time.Duration // of Run alone
	Err  error
}

// Check says what is wrong with a list of phases: names that are there twice or not at all, and circles. A phase comes
// after phases above it only, so that the list reads in the order in which things happen.
func Check[D any](phases []Phase[D]) error {
	var above []string
	for _, p := range phases {
		if slices.Contains(above, p.Name) {
			return fmt.Errorf("phase %s is there twice", p.Name)
		}
		for _, name := range p.After {
			if !slices.Contains(above, name) {
				return fmt.Errorf("phase %s comes after %s, which is not above it", p.Name, name)
			}
		}
		above = append(above, p.Name)
	}
	return nil
}

// Run runs the phases and returns when all are over. report is called once for each, from one goroutine at a time, before
// any phase that comes after it begins.
func Run[D any](ctx context.Context, d D, phases []Phase[D], report func(Result)) error {
	if err := Check(phases); err != nil {
		return err
	}
	ended := make(chan Result)
	over := map[string]bool{}
	started := make([]bool, len(phases))
	for len(over) < len(phases) {
		for i, p := range phases {
			if started[i] || slices.ContainsFunc(p.After, func(name string) bool { return !over[name] }) {
				continue
			}
			started[i] = true
			go func() {
				began := time.Now()
				err := p.Run(d, ctx)
				ended <- Result{p.Name, time.Since(began), err}
			}()
		}
		result := <-ended
		report(result)
		over[result.Name] = true
	}
	return nil
}

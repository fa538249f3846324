// Package effect makes a changed config take effect on the machine: the parts whose fields have changed, in order, and
// back again when one of them fails.
package effect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Effect is how a part of the config takes effect. D is what the effects work on.
type Effect[D any] struct {
	Name   string
	Fields []string                       // a change of one of these, or of what is in it, needs Run
	Run    func(D, context.Context) error // puts what the config says now in force; may be called again
}

// For lists the effects that changed fields have, in the order of all.
func For[D any](all []Effect[D], changed []string) []Effect[D] {
	return slices.Collect(func(yield func(Effect[D]) bool) {
		for _, e := range all {
			if slices.ContainsFunc(changed, e.concerns) && !yield(e) {
				return
			}
		}
	})
}

// concerns is whether a change at path concerns the effect.
func (e Effect[D]) concerns(path string) bool {
	return slices.ContainsFunc(e.Fields, func(field string) bool { return within(path, field) || within(field, path) })
}

// within is whether path is field, or in it.
func within(path, field string) bool {
	rest, found := strings.CutPrefix(path, field)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Names of effects.
func Names[D any](effects []Effect[D]) []string {
	names := make([]string, len(effects))
	for i, e := range effects {
		names[i] = e.Name
	}
	return names
}

// Apply calls put, which puts the new config where the effects read it, and runs them. When one fails it calls back, which puts
// the old config there again, and runs those that had run, the failed one among them, a second time. The error says which
// failed, and whether going back did too.
func Apply[D any](ctx context.Context, d D, effects []Effect[D], put, back func()) error {
	put()
	for i, e := range effects {
		err := e.Run(d, ctx)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", e.Name, err)
		back()
		if undone := run(context.WithoutCancel(ctx), d, effects[:i+1]); undone != nil {
			return fmt.Errorf("%w; going back to the config before failed too: %w", err, undone)
		}
		return err
	}
	return nil
}

// run runs all effects, whatever fails.
func run[D any](ctx context.Context, d D, effects []Effect[D]) error {
	var problems []error
	for _, e := range effects {
		if err := e.Run(d, ctx); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", e.Name, err))
		}
	}
	return errors.Join(problems...)
}

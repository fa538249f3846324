package command

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// section is a table with a title, which is shown when there are others.
type section struct {
	title string
	output.Grid
}

// show calls every machine and writes what they answer: tables, or JSON or YAML, which is keyed by the machines' names
// when there are several.
func show[T any](ctx context.Context, a *app, call func(context.Context, *machine) (T, error), tables func(T) []section) error {
	results, err := each(ctx, a, call)
	if len(results) == 0 {
		return err
	}
	several := a.several()
	if !a.format.IsTable() {
		return firstError(writeKeyed(a, several, results), err)
	}
	var all []section
	for _, r := range results {
		for i, s := range tables(r.value) {
			if several {
				s.Prefix("MACHINE", r.name)
			}
			if i < len(all) {
				all[i].Rows = append(all[i].Rows, s.Rows...)
			} else {
				all = append(all, s)
			}
		}
	}
	return firstError(a.writeSections(all), err)
}

// several is whether the command is for more than one machine, whatever became of them.
func (a *app) several() bool { return a.targets > 1 }

func (a *app) writeSections(list []section) error {
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(a.Out)
		}
		if s.title != "" && len(list) > 1 {
			fmt.Fprintln(a.Out, a.colors.Bold(s.title))
		}
		if err := s.Write(a.Out, a.format, a.colors); err != nil {
			return err
		}
	}
	return nil
}

func writeKeyed[T any](a *app, several bool, results []result[T]) error {
	if !several {
		return output.Write(a.Out, a.format, results[0].value)
	}
	keyed := map[string]json.RawMessage{}
	for _, r := range results {
		text, err := output.Value(r.value)
		if err != nil {
			return err
		}
		keyed[r.name] = text
	}
	return output.Write(a.Out, a.format, keyed)
}

// firstError is the one that stands for both: what could not be written matters more.
func firstError(write, called error) error {
	if write != nil {
		return fmt.Errorf("write the result: %w", write)
	}
	return called
}

// marshalMessages writes a list of messages of the API as JSON.
func marshalMessages[M proto.Message](list []M) ([]byte, error) {
	raw := make([]json.RawMessage, len(list))
	for i, m := range list {
		text, err := output.Value(m)
		if err != nil {
			return nil, err
		}
		raw[i] = text
	}
	return json.Marshal(raw)
}

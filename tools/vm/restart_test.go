package main

import (
	"errors"
	"strings"
	"testing"
)

func TestWithRestarts(t *testing.T) {
	fault, failure := errors.New("QEMU broke it"), errors.New("not Ready after 15m")
	type result struct{ fault, err error }
	for _, c := range []struct {
		name  string
		boots []result
		want  error
	}{
		{"ready", []result{{nil, nil}}, nil},
		{"fails", []result{{nil, failure}}, failure},
		{"broken once", []result{{fault, failure}, {nil, nil}}, nil},
		{"broken as often as may be", []result{{fault, failure}, {fault, failure}, {nil, nil}}, nil},
		{"broken, then fails", []result{{fault, failure}, {nil, failure}}, failure},
		{"broken too often", []result{{fault, failure}, {fault, failure}, {fault, failure}}, fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			boots := 0
			err := withRestarts(&out, "_out/run/console.log", func() (fault, err error) {
				r := c.boots[boots]
				boots++
				return r.fault, r.err
			})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if boots != len(c.boots) {
				t.Errorf("%d boots, want %d", boots, len(c.boots))
			}
			if told := strings.Count(out.String(), fault.Error()); told != boots-1 {
				t.Errorf("told of %d faults, want %d: %s", told, boots-1, out.String())
			}
			if boots > 1 && !strings.Contains(out.String(), "_out/run/console.log.previous") {
				t.Errorf("does not say where the console is: %s", out.String())
			}
		})
	}
}

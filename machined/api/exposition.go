package api

import (
	"strconv"
	"strings"
)

// exposition collects metrics in Prometheus' text format, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats).
type exposition struct{ b strings.Builder }

const expositionType = "text/plain; version=0.0.4; charset=utf-8"

// kinds of metrics.
const (
	gauge   = "gauge"
	counter = "counter"
)

// sample is a value with its labels, name and value in turn.
type sample struct {
	value  float64
	labels []string
}

func of(value float64, labels ...string) sample { return sample{value, labels} }

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// metric writes a metric. One without samples is left out.
func (e *exposition) metric(name, kind, help string, samples ...sample) {
	if len(samples) == 0 {
		return
	}
	e.b.WriteString("# HELP " + name + " " + escapeHelp.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
	for _, s := range samples {
		e.b.WriteString(name)
		for i := 0; i+1 < len(s.labels); i += 2 {
			separator := ","
			if i == 0 {
				separator = "{"
			}
			e.b.WriteString(separator + s.labels[i] + `="` + escapeLabel.Replace(text(s.labels[i+1])) + `"`)
		}
		if len(s.labels) > 0 {
			e.b.WriteByte('}')
		}
		e.b.WriteString(" " + strconv.FormatFloat(s.value, 'g', -1, 64) + "\n")
	}
}

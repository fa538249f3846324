package output

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

func TestGrid(t *testing.T) {
	g := Grid{Columns: Columns("NAME", ">SIZE", "STATE", "MODEL+")}
	g.Add("sda", "10", "ok", "X")
	g.Add("nvme0n1", "2000", "", "Y")
	g.Add("evil\x1b[2J\n", "1", "ok", "Z")
	for name, tc := range map[string]struct {
		format  Format
		palette Palette
		want    string
	}{
		"table": {Table, false, `
NAME      SIZE  STATE
sda         10  ok
nvme0n1   2000
evil[2J      1  ok
`},
		"wide": {Wide, false, `
NAME      SIZE  STATE  MODEL
sda         10  ok     X
nvme0n1   2000         Y
evil[2J      1  ok     Z
`},
		"coloured": {Table, true, "\nNAME      SIZE  STATE\nsda         10  \x1b[32mok\x1b[0m\nnvme0n1   2000\nevil[2J      1  \x1b[32mok\x1b[0m\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := g.Write(&b, tc.format, tc.palette); err != nil || b.String() != tc.want[1:] {
				t.Errorf("%v, got:\n%q\nwant:\n%q", err, b.String(), tc.want[1:])
			}
		})
	}
	g.Prefix("MACHINE", "edge-1")
	var b bytes.Buffer
	if g.Write(&b, Table, false); !strings.HasPrefix(b.String(), "MACHINE  NAME ") || strings.Count(b.String(), "edge-1   ") != 3 {
		t.Errorf("got:\n%s", b.String())
	}
}

func TestWrite(t *testing.T) {
	m := &machinepb.Disk{Name: "sda", SizeBytes: 1 << 40, Model: "no", Partitions: []*machinepb.Partition{{Name: "sda1"}}}
	for format, want := range map[Format]string{
		JSON: `{
  "name": "sda",
  "path": "",
  "sizeBytes": "1099511627776",
  "model": "no",
  "serial": "",
  "transport": "",
  "removable": false,
  "readOnly": false,
  "rotational": false,
  "boot": false,
  "partitions": [
    {
      "name": "sda1",
      "label": "",
      "sizeBytes": "0",
      "mountedAt": ""
    }
  ]
}
`,
		YAML: `name: sda
path: ""
sizeBytes: "1099511627776"
model: "no"
serial: ""
transport: ""
removable: false
readOnly: false
rotational: false
boot: false
partitions:
  - name: sda1
    label: ""
    sizeBytes: "0"
    mountedAt: ""
`,
	} {
		var b bytes.Buffer
		if err := Write(&b, format, m); err != nil || b.String() != want {
			t.Errorf("%s: %v, got:\n%s", format, err, b.String())
		}
	}
	var b bytes.Buffer
	if err := Write(&b, YAML, map[string]any{"empty": []string{}, "a": nil}); err != nil || b.String() != "a: null\nempty: []\n" {
		t.Errorf("%v, got %q", err, b.String())
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 20: "10 MiB", 1536 << 20: "1.5 GiB", math.MaxUint64: "16 EiB", 1<<20 - 1: "1024 KiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 12 * time.Second: "12s", 80 * time.Second: "1m20s", time.Hour: "1h", time.Hour + time.Second: "1h", 76 * time.Hour: "3d4h",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	if got := Time(time.Unix(0, 0)); got != "" {
		t.Errorf("no time is shown as %q", got)
	}
	if Count(1, "machine") != "1 machine" || Count(0, "machine") != "0 machines" || Percent(1, 0) != "" || Percent(1, 4) != "25%" {
		t.Error("count or percent")
	}
}

func TestParse(t *testing.T) {
	for _, f := range Formats {
		if got, err := Parse(string(f)); got != f || err != nil {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
	if _, err := Parse("xml"); err == nil || !strings.Contains(err.Error(), "table, wide, json and yaml") {
		t.Errorf("error %v", err)
	}
}

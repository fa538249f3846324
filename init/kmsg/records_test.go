package kmsg

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecords(t *testing.T) {
	long := strings.Repeat("word ", 300)
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"line":        {"hello", []string{"<13>init: hello\n"}},
		"empty":       {"", nil},
		"several":     {"one\n\ntwo\r\n", []string{"<13>init: one\n", "<13>init: two\n"}},
		"long at gap": {long, []string{"<13>init: " + long[:849] + "\n", "<13>init: " + long[850:] + "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := records(levelNotice, "init", test.text)
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("records = %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzRecords(f *testing.F) {
	f.Add("one\ntwo")
	f.Add(strings.Repeat("ä", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range records(levelInfo, "machined", text) {
			if len(r) > 900 {
				t.Errorf("a record of %d bytes", len(r))
			}
			if strings.Count(r, "\n") != 1 || !strings.HasPrefix(r, "<14>machined: ") {
				t.Errorf("malformed record %q", r)
			}
			if utf8.ValidString(text) && !utf8.ValidString(r) {
				t.Errorf("record %q splits a character", r)
			}
		}
	})
}

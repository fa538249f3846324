package output

import (
	"fmt"
	"strings"
	"time"
)

// Bytes is a number of bytes as people say it, in powers of 1024.
func Bytes(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n), "KMGTPE"
	i := -1
	for value >= 1024 && i < len(units)-1 {
		value /= 1024
		i++
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %ciB", value, units[i])
	}
	return fmt.Sprintf("%.0f %ciB", value, units[i])
}

// Percent is how much of a whole a part is.
func Percent(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%%", float64(part)/float64(whole)*100)
}

// Span is a time span in its two largest units: 3d4h, 5m20s, 12s.
func Span(d time.Duration) string {
	if d < 0 {
		return "0s"
	}
	d = d.Round(time.Second)
	parts := []struct {
		size time.Duration
		unit string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, p := range parts {
		if d < p.size {
			continue
		}
		s := fmt.Sprintf("%d%s", d/p.size, p.unit)
		if rest := d % p.size; i+1 < len(parts) && rest >= parts[i+1].size {
			s += fmt.Sprintf("%d%s", rest/parts[i+1].size, parts[i+1].unit)
		}
		return s
	}
	return "0s"
}

// Time is a moment by the clock of the machine, in UTC, to the second.
func Time(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Count is a number with its noun: 1 machine, 2 machines.
func Count(n int, noun string) string {
	if n != 1 && !strings.HasSuffix(noun, "s") {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

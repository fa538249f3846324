package inspect

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Temperature is what a sensor measures.
type Temperature struct {
	Chip, Sensor string // coretemp, Package id 0; or a thermal zone's type and name
	Celsius      float64
}

// Temperatures reads the sensors of /sys/class/hwmon; where there are none, those of /sys/class/thermal.
func (s System) Temperatures() []Temperature {
	var list []Temperature
	chips, _ := fs.ReadDir(s.Sys, "class/hwmon")
	for _, c := range chips {
		dir := path.Join("class/hwmon", c.Name())
		files, _ := fs.ReadDir(s.Sys, dir)
		for _, f := range files {
			sensor, input := strings.CutSuffix(f.Name(), "_input")
			if !input || !strings.HasPrefix(sensor, "temp") {
				continue
			}
			if celsius, ok := millidegrees(line(s.Sys, path.Join(dir, f.Name()))); ok {
				if label := line(s.Sys, path.Join(dir, sensor+"_label")); label != "" {
					sensor = label
				}
				list = append(list, Temperature{line(s.Sys, path.Join(dir, "name")), valid(sensor), celsius})
			}
		}
	}
	if len(list) > 0 {
		return list
	}
	zones, _ := fs.ReadDir(s.Sys, "class/thermal")
	for _, z := range zones {
		dir := path.Join("class/thermal", z.Name())
		if celsius, ok := millidegrees(line(s.Sys, path.Join(dir, "temp"))); ok {
			list = append(list, Temperature{line(s.Sys, path.Join(dir, "type")), valid(z.Name()), celsius})
		}
	}
	return list
}

func millidegrees(text string) (celsius float64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return float64(n) / 1000, err == nil
}

// Watchdog is a hardware watchdog.
type Watchdog struct {
	Name, Identity string
	Active         bool
	Timeout        uint64 // seconds
	CardReset      bool   // the machine was reset by it the last time
}

// cardReset is WDIOF_CARDRESET (include/uapi/linux/watchdog.h).
const cardReset = 0x20

// Watchdogs lists the watchdogs of the machine.
func (s System) Watchdogs() []Watchdog {
	var list []Watchdog
	entries, _ := fs.ReadDir(s.Sys, "class/watchdog")
	for _, e := range entries {
		dir := path.Join("class/watchdog", e.Name())
		list = append(list, Watchdog{
			Name: valid(e.Name()), Identity: line(s.Sys, path.Join(dir, "identity")),
			Active: line(s.Sys, path.Join(dir, "state")) == "active", Timeout: number(s.Sys, path.Join(dir, "timeout")),
			CardReset: number(s.Sys, path.Join(dir, "bootstatus"))&cardReset != 0,
		})
	}
	return list
}

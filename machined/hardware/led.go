package hardware

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TriggerModules make an LED blink by itself, in any rhythm: a machined that hangs leaves it as it was. The trigger timer has one
// rhythm only; those of disks, processors and the heartbeat say nothing of the state.
var TriggerModules = []string{"ledtrig_pattern"}

// leds are the names of the LED that a board shows activity on, as patterns of path.Match, by board. The first board that fits
// counts, and of its names the first that is there.
//
// What the kernel calls an LED comes from the device tree. Those of disks and network cards are named for their function too
// (Documentation/leds/leds-class.rst), and are left alone, as is the one that shows that there is power.
var leds = []struct {
	board string
	names []string
}{
	{"raspberrypi,400", []string{"PWR"}}, // the only one that it has
	{"raspberrypi,*", []string{"ACT", "led0"}},
	{"*", []string{"ACT", "*:status", "status", "*:heartbeat", "heartbeat", "*:act", "*:activity"}},
}

// led is the folder of an LED in sysfs.
type led string

// findLED finds the one that the board shows activity on; empty: there is none. sys is /sys.
func findLED(sys string, b Board) led {
	folder := filepath.Join(sys, "class/leds")
	entries, _ := os.ReadDir(folder)
	for _, pattern := range ledNames(b) {
		for _, e := range entries {
			if matched, _ := path.Match(pattern, e.Name()); matched {
				return led(filepath.Join(folder, e.Name()))
			}
		}
	}
	return ""
}

// ledNames are the names that the board's LED may have. A machine without a device tree has none: what LEDs a PC has are those of
// its keyboard and its network cards.
func ledNames(b Board) []string {
	for _, l := range leds {
		if slices.ContainsFunc(b.Compatible, func(name string) bool { fits, _ := path.Match(l.board, name); return fits }) {
			return l.names
		}
	}
	return nil
}

// show gives the LED a rhythm: how long it is lit and dark by turns; none: it is lit.
func (l led) show(rhythm []time.Duration) error {
	text, err := os.ReadFile(l.file("max_brightness"))
	if err != nil {
		return err
	}
	brightness, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", l.file("max_brightness"), err)
	}
	if len(rhythm) == 0 {
		return errors.Join(l.write("trigger", "none"), l.write("brightness", strconv.Itoa(brightness)))
	}
	if err := l.write("trigger", "pattern"); err != nil {
		return fmt.Errorf("%w (the kernel makes it blink with the module %s)", err, strings.Join(TriggerModules, ", "))
	}
	return l.write("pattern", pattern(rhythm, brightness))
}

// pattern is a rhythm as the trigger pattern takes it: brightness and milliseconds by turns. The kernel fades from one brightness
// to the next unless each is there again for no time (Documentation/ABI/testing/sysfs-class-led-trigger-pattern).
func pattern(rhythm []time.Duration, brightness int) string {
	var steps []string
	for i, d := range rhythm {
		level := brightness
		if i%2 == 1 {
			level = 0
		}
		steps = append(steps, fmt.Sprintf("%d %d %d 0", level, d.Milliseconds(), level))
	}
	return strings.Join(steps, " ")
}

func (l led) file(name string) string { return filepath.Join(string(l), name) }

// write writes to a file of the kernel's, which is there or is not.
func (l led) write(name, text string) error {
	f, err := os.OpenFile(l.file(name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

package boottest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// state is a machine, by what QEMU did to it.
type state string

const (
	sound  state = "sound"
	broken state = "broken"
	dying  state = "dying" // broken, and has not said so yet
)

func (s state) EmulatorFault(wait time.Duration) error {
	if s == broken || s == dying && wait > 0 {
		return errors.New("QEMU broke it")
	}
	return nil
}

// boots makes a test of functions that each are an attempt.
func boots(t *testing.T, runs ...func(l *lab)) {
	inAttempts(t, func(l *lab) {
		if l.attempt.number > len(runs) {
			l.T.Fatal("one attempt too many")
		}
		runs[l.attempt.number-1](l)
	})
}

func (l *lab) switchOn(m state) { l.attempt.machines = append(l.attempt.machines, m) }

func healthy(l *lab) { l.switchOn(sound) }

func fails(l *lab) {
	l.switchOn(sound)
	l.Errorf("it does not %s", "work")
}

func breaks(l *lab) {
	l.switchOn(broken)
	l.Fatal("the connection ended")
}

func dies(l *lab) {
	l.switchOn(sound)
	l.switchOn(dying)
	l.Fatalf("the connection %s", "ended")
}

func breaksUnnoticed(l *lab) { l.switchOn(broken) }

func failsThenBreaks(l *lab) {
	fails(l)
	breaks(l)
}

func breaksInPart(l *lab) {
	l.switchOn(broken)
	l.sub("part", func(l *lab) { l.Error("the connection ended") })
	l.T.Fatal("went on after the part")
}

func breaksBeforePowerCut(l *lab) {
	l.switchOn(broken)
	l.switchOn(sound)
	l.Fatal("the file system is damaged")
}

// lives are what may happen to a test's machines, and whether the test passes then.
var lives = map[string]struct {
	runs   []func(l *lab)
	passes bool
	says   string
}{
	"healthy":             {[]func(*lab){healthy}, true, "PASS: TestLife/attempt1 "},
	"fails":               {[]func(*lab){fails}, false, "it does not work"},
	"broken once":         {[]func(*lab){breaks, healthy}, true, "SKIP: TestLife/attempt1 "},
	"broken twice":        {[]func(*lab){breaks, breaks, healthy}, true, "ATTEMPT 2 OF 3 DOES NOT COUNT: QEMU broke it"},
	"broken thrice":       {[]func(*lab){breaks, breaks, breaks}, false, "the connection ended"},
	"dies as it fails":    {[]func(*lab){dies, healthy}, true, "SKIP: TestLife/attempt1 "},
	"broken unnoticed":    {[]func(*lab){breaksUnnoticed, healthy}, true, "SKIP: TestLife/attempt1 "},
	"thrice unnoticed":    {[]func(*lab){breaksUnnoticed, breaksUnnoticed, breaksUnnoticed}, false, "QEMU broke it"},
	"broken, then fails":  {[]func(*lab){breaks, fails}, false, "it does not work"},
	"failed, then broken": {[]func(*lab){failsThenBreaks}, false, "it does not work"},
	"an earlier boot":     {[]func(*lab){breaksBeforePowerCut, healthy}, true, "SKIP: TestLife/attempt1 "},
	"in a part":           {[]func(*lab){breaksInPart, healthy}, true, "SKIP: TestLife/attempt1/part "},
	"thrice in a part":    {[]func(*lab){breaksInPart, breaksInPart, breaksInPart}, false, "FAIL: TestLife/attempt3/part "},
}

// lifeName is the environment variable that has TestLife live one of lives.
const lifeName = "CORACLE_BOOTTEST_LIFE"

func TestLife(t *testing.T) {
	life, ok := lives[os.Getenv(lifeName)]
	if !ok {
		t.Skip("TestAttempts runs this")
	}
	boots(t, life.runs...)
}

// TestAttempts runs TestLife in processes of its own, because a test that fails cannot be taken back.
func TestAttempts(t *testing.T) {
	for name, life := range lives {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestLife$", "-test.v")
			cmd.Env = append(os.Environ(), lifeName+"="+name)
			out, err := cmd.CombinedOutput()
			if (err == nil) != life.passes {
				t.Errorf("ended with %v", err)
			}
			if !strings.Contains(string(out), life.says) {
				t.Errorf("does not say %q", life.says)
			}
			for _, wrong := range []string{"one attempt too many", "went on after the part", "panic:"} {
				if strings.Contains(string(out), wrong) {
					t.Error(wrong)
				}
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is the system's clock.
type kernel struct{}

// Mode and status bits of adjtimex(2), linux/timex.h.
const (
	adjOffset    = 0x0001
	adjMaxError  = 0x0004
	adjEstError  = 0x0008
	adjStatus    = 0x0010
	adjTimeConst = 0x0020
	adjSetOffset = 0x0100
	adjNano      = 0x2000

	statusPLL = 0x0001

	maxTimeConst = 10
)

// Step adds offset to the clock at once.
func (kernel) Step(offset time.Duration) error {
	sec := offset / time.Second
	nsec := offset % time.Second
	if nsec < 0 { // the kernel wants the fraction positive
		sec--
		nsec += time.Second
	}
	t := unix.Timex{Modes: adjSetOffset | adjNano}
	setTime(&t, int64(sec), int64(nsec))
	_, err := unix.Adjtimex(&t)
	return err
}

// Slew lets the kernel's phase-locked loop take offset away over the next polls, and learn from it how fast the
// hardware's oscillator is (as systemd-timesyncd does). It also says that the clock is synchronised: from then on
// the kernel writes it to the hardware clock every 11 minutes. The kernel cuts offset off at ±0.5 s.
func (kernel) Slew(offset, poll time.Duration) error {
	t := unix.Timex{Modes: adjStatus | adjNano | adjOffset | adjTimeConst | adjMaxError | adjEstError, Status: statusPLL}
	setSlew(&t, int64(offset), int64(timeConst(poll)))
	_, err := unix.Adjtimex(&t)
	return err
}

// timeConst is the loop's time constant for a poll interval: log2 of its seconds, less 4.
func timeConst(poll time.Duration) int {
	return min(max(0, bits.Len64(uint64(poll/time.Second))-1-4), maxTimeConst)
}

// SetRTC writes the clock's time to the hardware clock, if there is one.
func (kernel) SetRTC() error {
	f, err := os.OpenFile("/dev/rtc0", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	now := time.Now().UTC()
	err = unix.IoctlSetRTCTime(int(f.Fd()), &unix.RTCTime{
		Sec: int32(now.Second()), Min: int32(now.Minute()), Hour: int32(now.Hour()),
		Mday: int32(now.Day()), Mon: int32(now.Month()) - 1, Year: int32(now.Year()) - 1900,
		Wday: int32(now.Weekday()), Yday: int32(now.YearDay()) - 1,
	})
	if err != nil {
		return fmt.Errorf("set the hardware clock: %w", err)
	}
	return nil
}

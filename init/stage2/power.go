package main

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/input-event-codes.h.
const (
	eventKey = 0x01
	keyPower = 116
	pressed  = 1
)

// eventSize is the size of struct input_event: two longs for the time, then type, code and value.
const (
	eventTime = 2 * int(unsafe.Sizeof(uintptr(0)))
	eventSize = eventTime + 8
)

// openPowerButton opens the input device with this name below /dev, such as input/event0. It returns nil for one
// without a power key.
func openPowerButton(name string) (*os.File, error) {
	keys, err := os.ReadFile(filepath.Join("/sys/class/input", filepath.Base(name), "device/capabilities/key"))
	if err != nil || !hasKey(string(keys), keyPower) {
		return nil, nil // A device without keys, or gone again.
	}
	f, err := os.OpenFile("/dev/"+name, os.O_RDONLY|unix.O_NONBLOCK, 0) // Non-blocking: waiting for it needs no thread.
	if err != nil {
		return nil, fmt.Errorf("listen to a power button: %w", err)
	}
	return f, nil
}

// hasKey reads a bitmap of sysfs: words of the machine's size in hex, the highest first.
func hasKey(bitmap string, key int) bool {
	words := strings.Fields(bitmap)
	i := len(words) - 1 - key/bits.UintSize
	if i < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[i], 16, bits.UintSize)
	return err == nil && word>>(key%bits.UintSize)&1 == 1
}

// watchPowerButton asks for the machine to be switched off when the button is pressed. It returns when the device is
// gone.
func watchPowerButton(f *os.File, requests chan<- request) {
	defer f.Close()
	buf := make([]byte, 16*eventSize)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		if powerPressed(buf[:n]) {
			ask(requests, request{powerOff, "the power button was pressed"})
		}
	}
}

// powerPressed looks for the press of a power key among events as the kernel writes them.
func powerPressed(events []byte) bool {
	for ; len(events) >= eventSize; events = events[eventSize:] {
		kind := binary.NativeEndian.Uint16(events[eventTime:])
		code := binary.NativeEndian.Uint16(events[eventTime+2:])
		value := binary.NativeEndian.Uint32(events[eventTime+4:])
		if kind == eventKey && code == keyPower && value == pressed {
			return true
		}
	}
	return false
}

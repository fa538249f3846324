// Package control is the line between machined and PID 1: a SOCK_SEQPACKET pair whose one end machined
// inherits. Each packet is one message in ASCII: a word, perhaps with an argument.
package control

import "time"

// FD is the file descriptor at which machined inherits its end.
const FD = 3

// What machined says.
const (
	Healthy   = "healthy"   // the main loops turn; at least every 5 s, and init holds out for 30 s
	Reboot    = "reboot"    // shut down in order and reboot
	Poweroff  = "poweroff"  // shut down in order and power off
	Confirmed = "confirmed" // the version that was on trial is good
)

// Watchdog is followed by a space and a decimal number of seconds: the watchdog's timeout, 0 to turn it off. Said as soon as
// there is a machine config.
const Watchdog = "watchdog"

// WatchdogDefault is the timeout unless machined says otherwise.
const WatchdogDefault = 60 * time.Second

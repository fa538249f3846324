// Package control is the line between machined and PID 1: a SOCK_SEQPACKET pair whose one end machined
// inherits. Each packet is one message, a word in ASCII.
package control

// FD is the file descriptor at which machined inherits its end.
const FD = 3

// What machined says.
const (
	Healthy  = "healthy"  // the main loops turn; at least every HealthyEvery
	Reboot   = "reboot"   // shut down in order and reboot
	Poweroff = "poweroff" // shut down in order and power off
)

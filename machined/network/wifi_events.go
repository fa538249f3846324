package network

import (
	"fmt"
	"strconv"
	"strings"
)

// What wpa_supplicant says over its control socket: lines of name=value in answers, and messages that begin with a level.
// None of it is trusted: access points choose much of it.

// values reads lines of name=value, the first of each name.
func values(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if _, seen := all[name]; ok && !seen && len(all) < 100 {
			all[name] = value
		}
	}
	return all
}

// activities are the states of wpa_supplicant (enum wpa_states), in a word for a person.
var activities = map[string]string{
	"DISCONNECTED": "disconnected", "INTERFACE_DISABLED": "off", "INACTIVE": "idle", "SCANNING": "scanning",
	"AUTHENTICATING": "joining", "ASSOCIATING": "joining", "ASSOCIATED": "joining", "4WAY_HANDSHAKE": "joining",
	"GROUP_HANDSHAKE": "joining", "COMPLETED": "connected",
}

// readStatus puts the answer to STATUS into w.
func (w *WiFi) readStatus(text string) {
	v := values(text)
	w.Activity = activities[v["wpa_state"]]
	w.Connected = w.Activity == "connected"
	w.SSID = printable(unescape(v["ssid"]), maxSSID)
	w.BSSID, w.Security = printable(v["bssid"], 17), printable(v["key_mgmt"], 40)
	w.Frequency = between(v["freq"], 0, 100_000)
	if w.Connected {
		w.Problem, w.WrongKey = "", false
	} else {
		w.Signal = 0
	}
}

// readSignal puts the answer to SIGNAL_POLL into w.
func (w *WiFi) readSignal(text string) {
	w.Signal = between(values(text)["RSSI"], -200, -1)
}

// between reads a number in a range; 0: it is none.
func between(s string, least, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0
	}
	return n
}

// event is a message that nobody asked for, such as <3>CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:00:00 reason=3.
type event struct {
	name   string            // the first word
	fields map[string]string // the words of the form name=value
	text   string            // all of it
}

// readEvent reads a message. ok is false for one that is an answer.
func readEvent(message string) (e event, ok bool) {
	level, text, ok := strings.Cut(message, ">")
	if !ok || !strings.HasPrefix(level, "<") {
		return event{}, false
	}
	e = event{text: strings.TrimSpace(text), fields: map[string]string{}}
	e.name, _, _ = strings.Cut(e.text, " ")
	for _, word := range words(e.text) {
		if name, value, ok := strings.Cut(word, "="); ok && len(e.fields) < 100 {
			e.fields[name] = strings.Trim(value, `"`)
		}
	}
	return e, true
}

// words splits text at spaces that are not between quotes. A quote after a backslash is none.
func words(text string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(text, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

// Status codes of IEEE 802.11 that a person can do something about.
const (
	challengeFailure = "15" // WPA3: the password is wrong
	tooManyStations  = "17"
)

// take notes what an event says of why w does not join. It returns whether that is news.
func (w *WiFi) take(e event) bool {
	before := *w
	ssid := fmt.Sprintf("%q", printable(unescape(e.fields["ssid"]), maxSSID))
	if e.fields["ssid"] == "" {
		ssid = "the network"
	}
	wrong := func(format string, args ...any) { w.Problem, w.WrongKey = fmt.Sprintf(format, args...), false }
	switch {
	case e.name == "CTRL-EVENT-CONNECTED":
		w.Problem, w.WrongKey = "", false
	case e.name == "CTRL-EVENT-SSID-TEMP-DISABLED" && e.fields["reason"] == "WRONG_KEY",
		e.name == "CTRL-EVENT-AUTH-REJECT" && e.fields["status_code"] == challengeFailure,
		strings.Contains(e.text, "pre-shared key may be incorrect"):
		w.Problem, w.WrongKey = "the password for "+ssid+" is wrong", true
	case e.name == "CTRL-EVENT-NETWORK-NOT-FOUND":
		wrong("no access point of the network is in reach, or none with that security")
	case w.WrongKey: // what follows is said after that too
	case e.name == "CTRL-EVENT-ASSOC-REJECT" && e.fields["status_code"] == tooManyStations:
		wrong("the access point has as many stations as it takes")
	case e.name == "CTRL-EVENT-ASSOC-REJECT", e.name == "CTRL-EVENT-AUTH-REJECT":
		wrong("the access point refuses (status %d of IEEE 802.11)", between(e.fields["status_code"], 0, 65535))
	}
	return *w != before
}

// unescape undoes the escapes of wpa_supplicant (printf_encode): \\, \", \e, \n, \r, \t, \xNN.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'e':
			b.WriteByte(0x1b)
		case 'x':
			if n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8); err == nil && i+2 < len(s) {
				b.WriteByte(byte(n))
				i += 2
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// maxSSID is the length of an SSID in bytes.
const maxSSID = 32

// printable is s, at most n bytes of it, fit for a screen and a log.
func printable(s string, n int) string {
	return hostText(strings.ToValidUTF8(s[:min(len(s), n)], "?"))
}

package network

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

// WiFi is how a Wi-Fi interface is doing.
type WiFi struct {
	Interface string
	Connected bool
	Activity  string // what it does, in a word: scanning, joining, connected
	SSID      string // of the network that it has joined or is joining
	BSSID     string // MAC address of the access point
	Frequency int    // MHz; 0: not known
	Signal    int    // dBm, such as -60; 0: not known
	Security  string // as agreed with the access point: WPA2-PSK, SAE (which is WPA3), NONE
	Problem   string // why it does not join, in words; empty: nothing is known to be wrong
	WrongKey  bool   // the problem is the password

	since time.Duration // since boot: since when it is not connected
}

// wpaConfig is the configuration of wpa_supplicant, wpa_supplicant.conf(5), whose control sockets are in folder control.
func wpaConfig(w types.WiFi, control string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# written by machined from the machine config\nctrl_interface=%s\nap_scan=1\np2p_disabled=1\n", control)
	b.WriteString("sae_pwe=2\n") // both ways of WPA3 to make keys: an access point has one or the other
	if w.Country != "" {
		fmt.Fprintf(&b, "country=%s\n", w.Country)
	}
	networks := w.All()
	for i, n := range networks {
		// In hex, an SSID needs no quoting, and may be of any bytes.
		fmt.Fprintf(&b, "network={\n\tssid=%s\n\tpriority=%d\n", hex.EncodeToString([]byte(n.SSID)), len(networks)-i)
		if n.Hidden {
			b.WriteString("\tscan_ssid=1\n")
		}
		for _, line := range protection(n) {
			b.WriteString("\t" + line + "\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// protection are the lines of a network that say how it is protected. ieee80211w is the protection of management frames:
// 2 demands it, as WPA3 does, 1 uses it where it is to be had.
func protection(n types.WiFiNetwork) []string {
	if n.Security == types.WiFiOpen {
		return []string{"key_mgmt=NONE"}
	}
	// The password stands between quotes as it is: wpa_supplicant takes the last quote of the line for the end.
	psk := `psk="` + n.Password + `"`
	raw := isRawKey(n.Password)
	if raw {
		psk = "psk=" + n.Password
	}
	switch {
	case n.Security == types.WiFiWPA3:
		return []string{"key_mgmt=SAE", "ieee80211w=2", psk}
	case n.Security == types.WiFiWPA2 || raw: // WPA3 needs the password itself
		return []string{"key_mgmt=WPA-PSK WPA-PSK-SHA256", "ieee80211w=1", psk}
	}
	return []string{"key_mgmt=SAE WPA-PSK WPA-PSK-SHA256", "ieee80211w=1", psk}
}

// isRawKey is whether a password is the key that WPA2 would make of one: 32 bytes in hex.
func isRawKey(password string) bool {
	_, err := hex.DecodeString(password)
	return err == nil && len(password) == 64
}

// networkNames lists the SSIDs that w may join, for a person.
func networkNames(w types.WiFi) string {
	var names []string
	for _, n := range w.All() {
		names = append(names, fmt.Sprintf("%q", n.SSID))
	}
	return strings.Join(names, ", ")
}

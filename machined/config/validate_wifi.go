package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

// country is a country code of ISO 3166, as wpa_supplicant takes it.
var country = regexp.MustCompile(`^[A-Z]{2}$`)

// checkWiFi checks what networks an interface may join.
func checkWiFi(k *checker, at string, w types.WiFi) {
	if w.Country != "" {
		k.want(country.MatchString(w.Country), at+".country", w.Country, "a country as two capital letters, such as DE")
	}
	if !k.doc.Has(at + ".networks") {
		checkWiFiNetwork(k, at, types.WiFiNetwork{SSID: w.SSID, Password: w.Password, Security: w.Security, Hidden: w.Hidden})
		return
	}
	for _, field := range []string{"ssid", "password", "security", "hidden"} {
		if k.doc.Has(at + "." + field) {
			k.fail(at+"."+field, "belongs to one network, and networks lists several; move it into that list")
		}
	}
	if len(w.Networks) == 0 {
		k.fail(at+".networks", "is empty; write ssid for one network, or list several")
	}
	first := map[string]int{}
	for i, n := range w.Networks {
		p := fmt.Sprintf("%s.networks[%d]", at, i)
		checkWiFiNetwork(k, p, n)
		if j, seen := first[n.SSID]; seen && n.SSID != "" {
			k.fail(p+".ssid", "%q is the network of %s.networks[%d] too", n.SSID, at, j)
		} else {
			first[n.SSID] = i
		}
	}
}

func checkWiFiNetwork(k *checker, at string, n types.WiFiNetwork) {
	switch {
	case n.SSID == "" && !k.doc.Has(at+".ssid"):
		k.fail(at+".ssid", "is missing; write the name of the network")
	case len(n.SSID) < 1 || len(n.SSID) > 32:
		k.fail(at+".ssid", "has %d bytes, and must have 1 to 32", len(n.SSID))
	}
	_, err := hex.DecodeString(n.Password)
	key := err == nil && len(n.Password) == 64
	switch {
	case n.Security == "": // a wrong value has been said
	case n.Security == types.WiFiOpen:
		if n.Password != "" {
			k.fail(at+".password", "is not used in a network without protection; take away the password, or security: open")
		}
	case n.Password == "":
		k.fail(at+".password", "is missing; for a network without protection write security: open")
	case key && n.Security == types.WiFiWPA3:
		k.fail(at+".password", "is a key, but WPA3 needs the password that it was made of")
	case key:
	case len(n.Password) < 8 || len(n.Password) > 63:
		k.fail(at+".password", "has %d characters, and must have 8 to 63, or be a key of 64 hex digits", len(n.Password))
	case strings.ContainsFunc(n.Password, func(r rune) bool { return r < ' ' || r > '~' }):
		k.fail(at+".password", "has a character that is not printable ASCII; in passwords of Wi-Fi it cannot be")
	}
}

package types

// WiFi is the Wi-Fi networks that an interface may join: one, in ssid and the fields beside it, or several in networks.
type WiFi struct {
	// Name of the network, 1 to 32 bytes.
	SSID string `yaml:"ssid" example:"plant"`
	// Password of the network: 8 to 63 printable ASCII characters, or the key itself as 64 hex digits.
	Password string `yaml:"password" secret:"true" example:"correct horse"`
	// What protects the network. auto: WPA3 or WPA2, whichever the access point offers. wpa2 and wpa3: only that. open: nothing, so
	// there is no password either.
	Security WiFiSecurity `yaml:"security" enum:"auto|wpa2|wpa3|open" default:"auto" example:"wpa3"`
	// The access point does not announce its name, so it is called by it.
	Hidden bool `yaml:"hidden" default:"false" example:"true"`
	// Several networks instead of one, the preferred first.
	Networks []WiFiNetwork `yaml:"networks"`
	// Where the machine is, as two capital letters (ISO 3166): that country's rules say which channels may be used, and how loudly.
	// Default: what is allowed everywhere, or what the access point says.
	Country string `yaml:"country" example:"DE"`
}

// WiFiNetwork is one of several Wi-Fi networks.
type WiFiNetwork struct {
	// Name of the network, 1 to 32 bytes.
	SSID string `yaml:"ssid" required:"true" example:"plant"`
	// Password of the network: 8 to 63 printable ASCII characters, or the key itself as 64 hex digits.
	Password string `yaml:"password" secret:"true" example:"correct horse"`
	// What protects the network: auto, wpa2, wpa3 or open, as in wifi.security.
	Security WiFiSecurity `yaml:"security" enum:"auto|wpa2|wpa3|open" default:"auto" example:"wpa2"`
	// The access point does not announce its name, so it is called by it.
	Hidden bool `yaml:"hidden" default:"false" example:"true"`
}

// WiFiSecurity is what protects a Wi-Fi network.
type WiFiSecurity string

const (
	WiFiAuto WiFiSecurity = "auto" // WPA3-Personal or WPA2-Personal
	WiFiWPA2 WiFiSecurity = "wpa2"
	WiFiWPA3 WiFiSecurity = "wpa3"
	WiFiOpen WiFiSecurity = "open"
)

// All are the networks, the preferred first.
func (w WiFi) All() []WiFiNetwork {
	if len(w.Networks) > 0 {
		return w.Networks
	}
	return []WiFiNetwork{{SSID: w.SSID, Password: w.Password, Security: w.Security, Hidden: w.Hidden}}
}

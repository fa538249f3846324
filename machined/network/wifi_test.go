package network

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coracle-os/coracle/machined/config/types"
)

func TestWPAConfig(t *testing.T) {
	w := types.WiFi{Country: "DE", Networks: []types.WiFiNetwork{
		{SSID: "Plänt\n}", Password: `a "quoted" # one\`, Security: types.WiFiAuto},
		{SSID: "b", Password: "12345678", Security: types.WiFiWPA3, Hidden: true},
		{SSID: "c", Password: strings.Repeat("0f", 32), Security: types.WiFiAuto},
		{SSID: "d", Security: types.WiFiOpen},
	}}
	want := `ctrl_interface=/run/x
ap_scan=1
p2p_disabled=1
sae_pwe=2
country=DE
network={
	ssid=506cc3a46e740a7d
	priority=4
	key_mgmt=SAE WPA-PSK WPA-PSK-SHA256
	ieee80211w=1
	psk="a "quoted" # one\"
}
network={
	ssid=62
	priority=3
	scan_ssid=1
	key_mgmt=SAE
	ieee80211w=2
	psk="12345678"
}
network={
	ssid=63
	priority=2
	key_mgmt=WPA-PSK WPA-PSK-SHA256
	ieee80211w=1
	psk=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
}
network={
	ssid=64
	priority=1
	key_mgmt=NONE
}
`
	if _, got, _ := strings.Cut(wpaConfig(w, "/run/x"), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	single := wpaConfig(types.WiFi{SSID: "a", Password: "12345678", Security: types.WiFiWPA2}, "/run/x")
	if !strings.Contains(single, "ssid=61\n") || !strings.Contains(single, "key_mgmt=WPA-PSK WPA-PSK-SHA256\n") || strings.Contains(single, "country") {
		t.Error(single)
	}
}

func TestReadStatus(t *testing.T) {
	for name, test := range map[string]struct {
		status, signal string
		want           WiFi
	}{
		"connected": {
			"bssid=02:00:00:00:01:00\nfreq=2437\nssid=Pl\\xc3\\xa4nt \\\"a\\\"\nid=0\nmode=station\npairwise_cipher=CCMP\nkey_mgmt=WPA2-PSK\nwpa_state=COMPLETED\naddress=02:00:00:00:00:00\n",
			"RSSI=-57\nLINKSPEED=54\nNOISE=9999\nFREQUENCY=2437\n",
			WiFi{Connected: true, Activity: "connected", SSID: `Plänt "a"`, BSSID: "02:00:00:00:01:00", Frequency: 2437, Signal: -57, Security: "WPA2-PSK"},
		},
		"scanning":  {"wpa_state=SCANNING\naddress=02:00:00:00:00:00\n", "FAIL\n", WiFi{Activity: "scanning"}},
		"nonsense":  {"FAIL\n", "RSSI=99\n", WiFi{}},
		"two names": {"wpa_state=SCANNING\nwpa_state=COMPLETED\nssid=a\x1b[2J\nfreq=-7\n", "", WiFi{Activity: "scanning", SSID: "a[2J"}},
	} {
		t.Run(name, func(t *testing.T) {
			var w WiFi
			w.readStatus(test.status)
			if w.Connected {
				w.readSignal(test.signal)
			}
			if w != test.want {
				t.Errorf("got  %+v\nwant %+v", w, test.want)
			}
		})
	}
}

func TestTakeEvent(t *testing.T) {
	const wrong = `<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="my plant" auth_failures=1 duration=10 reason=WRONG_KEY`
	for name, test := range map[string]struct {
		messages []string
		problem  string
		wrongKey bool
	}{
		"WPA2, wrong password":    {[]string{"<3>WPA: 4-Way Handshake failed - pre-shared key may be incorrect", wrong}, `the password for "my plant" is wrong`, true},
		"WPA3, wrong password":    {[]string{"<3>CTRL-EVENT-AUTH-REJECT 02:00:00:00:01:00 auth_type=3 auth_transaction=2 status_code=15"}, "the password for the network is wrong", true},
		"other things after that": {[]string{wrong, "<3>CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=1"}, `the password for "my plant" is wrong`, true},
		"it was right in the end": {[]string{wrong, "<3>CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:01:00 completed [id=0 id_str=]"}, "", false},
		"nobody there":            {[]string{"<3>CTRL-EVENT-NETWORK-NOT-FOUND "}, "no access point of the network is in reach, or none with that security", false},
		"full":                    {[]string{"<3>CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=17"}, "the access point has as many stations as it takes", false},
		"refused":                 {[]string{"<3>CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=53"}, "the access point refuses (status 53 of IEEE 802.11)", false},
		"of no interest":          {[]string{"<2>CTRL-EVENT-SCAN-STARTED ", "<3>SME: Trying to authenticate"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var w WiFi
			for _, m := range test.messages {
				e, ok := readEvent(m)
				if !ok {
					t.Fatalf("%q is no event", m)
				}
				w.take(e)
			}
			if w.Problem != test.problem || w.WrongKey != test.wrongKey {
				t.Errorf("%q, %v", w.Problem, w.WrongKey)
			}
		})
	}
	if _, ok := readEvent("PONG\n"); ok {
		t.Error("an answer is taken for an event")
	}
}

func FuzzWPASupplicant(f *testing.F) {
	f.Add("bssid=02:00:00:00:01:00\nssid=a\\x\nwpa_state=COMPLETED\n", "RSSI=-57\n", `<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="a \" b" reason=WRONG_KEY`)
	f.Add("ssid=\\", "RSSI", `<3>`)
	f.Fuzz(func(t *testing.T, status, signal, message string) {
		var w WiFi
		w.readStatus(status)
		w.readSignal(signal)
		if e, ok := readEvent(message); ok {
			w.take(e)
		}
		for _, s := range []string{w.SSID, w.BSSID, w.Security, w.Problem} {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x1b\x00") || len(s) > 200 {
				t.Errorf("%q", s)
			}
		}
		if w.Signal > 0 || w.Frequency < 0 {
			t.Errorf("%+v", w)
		}
	})
}

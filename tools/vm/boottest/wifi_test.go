package boottest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// TestWifi joins a Wi-Fi network with a simulated radio: first with a wrong password, which the machine says, then with the right
// one, and again after its access point was away.
func TestWifi(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		l.bootReady(l.standard())
		api := l.api()
		l.apply("accesspoint.yaml")
		join := func(password string) {
			l.patch(api, fmt.Sprintf("machine:\n  modules: [mac80211_hwsim]\n  network:\n    interfaces:\n    - name: \"eth*\"\n"+
				"    - name: wlan0\n      addresses: [192.0.2.7/24]\n      wifi: {country: DE, ssid: plant, password: %q}\n", password))
		}
		join("wrong horse")
		l.wait("wait", "--for=condition=Ready", "pod/accesspoint")
		l.eventually("the condition", func() error {
			for _, c := range l.status(api).Conditions {
				if c.Id == "network.wifi.wlan0" && strings.Contains(c.Message, "password") {
					l.Log(c.Message)
					return nil
				}
			}
			return fmt.Errorf("the conditions are %v", l.status(api).Conditions)
		})
		join("correct horse")
		l.eventually("the network is joined", func() error { return l.wifiJoined(api) })
		l.kubectl("delete", "pod", "accesspoint", "--wait")
		l.eventually("the network is lost", func() error {
			if l.wifiJoined(api) == nil {
				return fmt.Errorf("wlan0 has a carrier")
			}
			return nil
		})
		l.apply("accesspoint.yaml")
		l.eventually("the network is joined again", func() error { return l.wifiJoined(api) })
	})
}

// wifiJoined is nil when wlan0 is in the network, with its address, and nothing is wrong with it.
func (l *lab) wifiJoined(api *client.Client) error {
	l.Helper()
	n := l.network(api)
	i := slices.IndexFunc(n.Interfaces, func(i *machinepb.Interface) bool { return i.Name == "wlan0" })
	if i < 0 || !n.Interfaces[i].Carrier || !slices.Contains(n.Interfaces[i].Addresses, "192.0.2.7/24") {
		return fmt.Errorf("the interfaces are %v", n.Interfaces)
	}
	for _, c := range l.status(api).Conditions {
		if strings.HasSuffix(c.Id, ".wlan0") {
			return fmt.Errorf("%s: %s", c.Id, c.Message)
		}
	}
	return nil
}

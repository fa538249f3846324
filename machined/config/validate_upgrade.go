package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config/window"
	"github.com/coracle-os/coracle/machined/keys"
)

func checkUpgrade(k *checker) {
	u := k.Machine.Upgrade
	k.checkSpan("machine.upgrade.deadline", time.Duration(u.Deadline), 2*time.Minute, time.Hour)
	k.checkSpan("machine.upgrade.confirm", time.Duration(u.Confirm), 5*time.Second, 30*time.Minute)
	if u.Confirm >= u.Deadline {
		k.fail("machine.upgrade.confirm", "%v is not less than machine.upgrade.deadline (%v)", u.Confirm, u.Deadline)
	}
	k.checkSpan("machine.upgrade.drain", time.Duration(u.Drain), 0, 30*time.Minute)
	if u.Source != "" {
		address, err := url.Parse(u.Source)
		k.want(err == nil && slices.Contains([]string{"https", "http", "oci"}, address.Scheme) && address.Host != "", "machine.upgrade.source", u.Source,
			"an address such as https://releases.example.com/coracle-latest-amd64.slot or oci://registry.example.com/coracle:stable")
	}
	k.checkSpan("machine.upgrade.window.duration", time.Duration(u.Window.Duration), 10*time.Minute, 24*time.Hour)
	for i, day := range u.Window.Days {
		k.want(slices.Contains(window.Days, day), fmt.Sprintf("machine.upgrade.window.days[%d]", i), day, "one of "+strings.Join(window.Days, ", "))
	}
	if !window.IsStart(u.Window.Start) {
		k.fail("machine.upgrade.window.start", "%q is not hours and minutes such as 02:00", u.Window.Start)
	}
	seen := map[keys.PublicKey]int{}
	for i, key := range u.Keys {
		at := fmt.Sprintf("machine.upgrade.keys[%d]", i)
		if key.Name == "" {
			k.fail(at+".name", "is missing; write whose key it is")
		}
		if key.Key.IsZero() && !k.doc.Has(at+".key") {
			k.fail(at+".key", "is missing; write ed25519: and the public key in base64")
		}
		if first, again := seen[key.Key]; again && !key.Key.IsZero() {
			k.fail(at+".key", "is the key of machine.upgrade.keys[%d] too", first)
		} else {
			seen[key.Key] = i
		}
	}
}

// checkSpan wants a duration within bounds.
func (k *checker) checkSpan(at string, d, least, most time.Duration) {
	if d < least || d > most {
		k.fail(at, "%v is not between %v and %v", d, least, most)
	}
}

package debian

import (
	"errors"
	"strings"
	"testing"
)

// What apt-get update prints, of apt 2.6.
const (
	saidMixedUp = `Get:1 http://m.test/debian trixie InRelease [140 kB]
Get:2 http://m.test/debian trixie-updates InRelease [47.3 kB]
Get:3 http://m.test/debian-security trixie-security InRelease [43.4 kB]
Get:5 http://m.test/debian trixie/main armhf Packages [9247 kB]
Ign:7 http://m.test/debian-security trixie-security/main armhf Packages
Get:7 http://m.test/debian-security trixie-security/main armhf Packages [274 kB]
Err:7 http://m.test/debian-security trixie-security/main armhf Packages
  File has unexpected size (253712 != 273836). Mirror sync in progress? [IP: 192.0.2.1 80]
  Hashes of expected file:
   - Filesize:273836 [weak]
   - SHA256:d25b939c824209b98d903b7ba8a64f7913587a1aafc49222e1528a0dfc5d93cb
  Release file created at: Wed, 25 Nov 2026 02:22:31 +0000
Fetched 9484 kB in 3s (2961 kB/s)
Reading package lists...
`
	saidMixedUpUpdates = `Err:6 http://m.test/debian trixie-updates/main armhf Packages
  Hash Sum mismatch
`
	saidMixedUpMain = `Err:5 http://m.test/debian trixie/main armhf Packages
  Hash Sum mismatch
`
	saidUnreachable = `Hit:1 http://m.test/debian trixie InRelease
Err:3 http://s.test/debian-security trixie-security InRelease
  Could not resolve 's.test'
`
	saidOffline = `Err:1 http://m.test/debian trixie InRelease
  Could not resolve 'm.test'
Err:2 http://m.test/debian trixie-updates InRelease
  Could not resolve 'm.test'
Err:3 http://m.test/debian-security trixie-security InRelease
  Could not resolve 'm.test'
`
	saidUnsigned = `Err:3 http://m.test/debian-security trixie-security InRelease
  The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9
`
	saidHalf = `Err:7 http://m.test/debian-security trixie-security/main armhf Packages
  Connection timed out [IP: 192.0.2.1 80]
`
)

func TestDecide(t *testing.T) {
	failed := errors.New("exit status 100")
	all, main := []string{"trixie", "trixie-updates", "trixie-security"}, []string{"trixie"}
	withoutUpdates := []string{"trixie", "trixie-security"}
	withoutSecurity := []string{"trixie", "trixie-updates"}
	accepted := []Missing{{"trixie-security", "security updates", "File has unexpected size"}}
	for _, tc := range []struct {
		name    string
		said    string // nothing: apt-get is content
		there   []string
		used    bool
		before  []Missing
		release bool
		want    verdict
		missing string
	}{
		{name: "all is there", there: all, want: fresh},
		{name: "what was missing is there", there: all, used: true, before: accepted, want: fresh},
		{name: "security is mixed up", said: saidMixedUp, there: withoutSecurity, want: fresh, missing: "trixie-security"},
		{name: "updates are mixed up", said: saidMixedUpUpdates, there: withoutUpdates, want: fresh, missing: "trixie-updates"},
		{name: "both are", said: saidMixedUpUpdates + saidMixedUp, there: main, want: fresh, missing: "trixie-updates trixie-security"},
		{name: "still is", said: saidMixedUp, there: withoutSecurity, used: true, before: accepted, want: fresh, missing: "trixie-security"},
		{name: "mixed up, old lists are there", said: saidMixedUp, there: all, used: true, want: stale},
		{name: "mixed up, and what old lists named was gone", said: saidMixedUp, there: all, want: refused},
		{name: "main is mixed up", said: saidMixedUpMain, there: withoutSecurity[1:], want: refused},
		{name: "all are mixed up", said: saidMixedUpMain + saidMixedUpUpdates + saidMixedUp, want: refused},
		{name: "main too, old lists of it are there", said: saidMixedUpMain + saidMixedUp, there: withoutSecurity, used: true, want: stale, missing: "trixie-security"},
		{name: "main too, what old lists named was gone", said: saidMixedUpMain + saidMixedUp, there: withoutSecurity, want: refused},
		{name: "security cannot be reached", said: saidUnreachable, there: withoutSecurity, want: refused},
		{name: "updates are mixed up, security cannot be reached", said: saidMixedUpUpdates + saidUnreachable, there: main, want: refused},
		{name: "security is half there", said: saidHalf, there: withoutSecurity, want: refused},
		{name: "security is not signed", said: saidUnsigned, there: withoutSecurity, want: refused},
		{name: "security is not signed any more", said: saidUnsigned, there: all, used: true, want: stale},
		{name: "no network", said: saidOffline, want: refused},
		{name: "no network, all lists", said: saidOffline, there: all, used: true, want: stale},
		{name: "no network, lists of an update that failed", said: saidOffline, there: withoutSecurity, want: refused},
		{name: "no network, incomplete lists", said: saidOffline, there: withoutSecurity, used: true, before: accepted, want: stale, missing: "trixie-security"},
		{name: "no network when only what is missing is asked for", said: saidUnreachable, there: withoutSecurity, used: true, before: accepted, want: fresh, missing: "trixie-security"},
		{name: "apt-get says nothing of files", said: "Reading package lists...\n", there: all, used: true, want: stale},
		{name: "nor what is missing", said: "Reading package lists...\n", there: withoutSecurity, used: true, want: refused},
		{name: "a release, all there", there: all, release: true, want: fresh},
		{name: "a release, mixed up", said: saidMixedUp, there: withoutSecurity, release: true, want: refused},
		{name: "a release after a build that went without", said: saidOffline, there: withoutSecurity, used: true, before: accepted, release: true, want: refused},
		{name: "a release without network, all lists", said: saidOffline, there: all, used: true, release: true, want: stale},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := outcome{
				suites: Options{Suite: "trixie"}.suites(Mirrors{}), failures: parseFailures(tc.said), there: tc.there, used: tc.used, before: tc.before, complete: tc.release,
			}
			if tc.said != "" {
				o.err = failed
			}
			got, missing, err := o.decide()
			if got != tc.want {
				t.Errorf("%s, want %s (%v)", got, tc.want, err)
			}
			var names []string
			for _, m := range missing {
				names = append(names, m.Suite)
				if m.Has == "" || m.Reason == "" {
					t.Errorf("it does not say what is missing, and why: %+v", m)
				}
			}
			if got := strings.Join(names, " "); got != tc.missing {
				t.Errorf("goes on without %q, want %q", got, tc.missing)
			}
			if (err != nil) != (got != fresh) || err != nil && !errors.Is(err, failed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestReleaseSaysWhatToDo(t *testing.T) {
	o := outcome{
		suites: Options{Suite: "trixie"}.suites(Mirrors{}), err: errors.New("exit status 100"),
		failures: parseFailures(saidMixedUpUpdates + saidMixedUp), there: []string{"trixie"}, complete: true,
	}
	_, _, err := o.decide()
	for _, want := range []string{"release", "trixie-updates and trixie-security", "DEBIAN_SECURITY_MIRROR", "exit status 100"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
}

func TestParseFailures(t *testing.T) {
	got := parseFailures(saidMixedUp + saidUnreachable)
	want := []failure{
		{"trixie-security", "Packages", "File has unexpected size (253712 != 273836). Mirror sync in progress? [IP: 192.0.2.1 80]"},
		{"trixie-security", "InRelease", "Could not resolve 's.test'"},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q, want %q", got, want)
	}
}

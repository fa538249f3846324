package main

import (
	"strings"
	"testing"
)

func TestVerityModules(t *testing.T) {
	const crypto = `name         : hmac(sha256)
driver       : hmac-sha256-lib
type         : shash

name         : sha256
driver       : sha256-lib
module       : kernel
`
	for _, test := range []struct{ algorithm, crypto, want string }{
		{"sha256", crypto, "dm-mod dm-verity"},
		{"blake2b-256", crypto, "dm-mod dm-verity crypto-blake2b-256"},
		{"sha256-lib", crypto, "dm-mod dm-verity crypto-sha256-lib"},
		{"sha256", "", "dm-mod dm-verity crypto-sha256"},
	} {
		if got := strings.Join(verityModules(test.algorithm, test.crypto), " "); got != test.want {
			t.Errorf("with %s: %s, want %s", test.algorithm, got, test.want)
		}
	}
}

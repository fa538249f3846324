// Package boottest holds the tests that boot the real image in QEMU, as its users will: flashed, configured, switched on,
// unplugged, damaged. They need what `make image` leaves in _out and are skipped without it.
//
//	go test -v -timeout 60m ./tools/vm/boottest                        the tests of `make test`
//	CORACLE_TEST_ALL=1 go test -v -timeout 180m ./tools/vm/boottest    all of them
//	go test -v -run TestPowerCut ./tools/vm/boottest                   one
//
// CORACLE_REQUIRE_IMAGE=1 makes a missing image a failure. CORACLE_OUT names another folder than _out.
package boottest

// Package boottest holds the tests that boot the real image in QEMU, as its users will: flashed, configured, switched on,
// unplugged, damaged. They need what `make image` leaves in _out and are skipped without it.
//
//	go test -v -timeout 60m ./tools/vm/boottest                        the tests of `make test`
//	CORACLE_TEST_ALL=1 go test -v -timeout 180m ./tools/vm/boottest    all of them
//	go test -v -run TestServer ./tools/vm/boottest                     one
//
// Without KVM, old versions of QEMU break about one boot of ten (machine.EmulatorFault). A test to which that happens begins
// again, up to twice: "--- SKIP: TestServer/attempt1" is such an attempt, and what it would have said comes with it. Its logs
// are kept in _out/boottest.
//
// CORACLE_REQUIRE_IMAGE=1 makes a missing image a failure. CORACLE_OUT names another folder than _out, and CORACLE_TEST_ARCH another
// architecture than amd64 for the tests that are for any.
package boottest

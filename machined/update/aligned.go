package update

import "unsafe"

// aligned is whether p starts at a page and has whole sectors.
func aligned(p []byte) bool {
	return len(p)%sector == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(p)))%sector == 0
}

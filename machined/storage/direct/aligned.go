package direct

import "unsafe"

// aligned is whether p starts at a page and has whole sectors.
func aligned(p []byte) bool {
	return len(p)%Sector == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(p)))%Sector == 0
}

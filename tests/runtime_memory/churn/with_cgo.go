//go:build with_cgo

package main

// int answer(void) { return 42; }
import "C"

func init() {
	if C.answer() != 42 {
		panic("cgo does not answer")
	}
}

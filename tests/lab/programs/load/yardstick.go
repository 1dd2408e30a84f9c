package main

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// A yardstick tells how fast the machine's memory is just now. Other tenants of a shared machine slow it down by a tenth and
// more, and every program with it: CPU time per request then says more of the neighbours than of the program.
//
// It goes from place to place in an array that no cache holds, and each read says where the next one is.
type yardstick struct {
	next []uint32
	at   uint32
}

const (
	yardstickBytes = 64 << 20
	lineWords      = 64 / 4 // of a line of the CPU's caches
	readsAtOnce    = 2000
	readsEvery     = 25 * time.Millisecond
)

func newYardstick() *yardstick {
	y := &yardstick{next: make([]uint32, yardstickBytes/4)}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(y.next) / lineWords)
	for i, place := range order {
		y.next[place*lineWords] = uint32(order[(i+1)%len(order)] * lineWords)
	}
	return y
}

// measure gives the mean time of a read, in nanoseconds of CPU time, until the end.
func (y *yardstick) measure(end time.Time) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var spent time.Duration
	reads := 0
	for {
		began := threadCPU()
		for range readsAtOnce {
			y.at = y.next[y.at]
		}
		spent += threadCPU() - began
		reads += readsAtOnce
		left := time.Until(end)
		if left <= 0 {
			return float64(spent.Nanoseconds()) / float64(reads)
		}
		time.Sleep(min(left, readsEvery))
	}
}

// threadCPU is the CPU time of this thread.
func threadCPU() time.Duration {
	const clockThreadCPU = 3
	var now syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&now)), 0)
	return time.Duration(now.Nano())
}

package service

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// trouble is everything about this service that a healthy one would not have. Safe for concurrent use.
type trouble struct {
	delay      atomic.Int64 // nanoseconds
	leak       atomic.Int64 // bytes per checkout
	extraAlloc atomic.Int64 // bytes per checkout
	failing    atomic.Int64 // of a thousand checkouts
	leakLimit  int64

	mu     sync.Mutex
	leaked [][]byte
	total  int64
}

// inflict is called once in each checkout.
func (t *trouble) inflict() {
	t.waste(t.extraAlloc.Load())
	if n := t.leak.Load(); n > 0 {
		t.keep(n)
	}
	if d := t.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
}

// fails says whether this checkout is one of those that fail.
func (t *trouble) fails() bool { return rand.Int64N(1000) < t.failing.Load() }

type scratch struct {
	bytes [2040]byte
	next  *scratch
}

var sink atomic.Pointer[scratch]

// waste allocates n short-lived bytes in blocks of 2 KiB that hang on each other, as a parser's or a template's do.
func (t *trouble) waste(n int64) {
	var head *scratch
	for ; n > 0; n -= 2048 {
		head = &scratch{next: head}
	}
	// Only the last block is kept, and only until the next request: without a use the compiler drops the loop.
	if head != nil {
		head.next = nil
		sink.Store(head)
	}
}

func (t *trouble) keep(n int64) {
	block := make([]byte, n)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total+n <= t.leakLimit {
		t.leaked = append(t.leaked, block)
		t.total += n
	}
}

// mapOffHeap maps and touches n bytes that Go's runtime knows nothing of, as a cgo library's cache would.
func mapOffHeap(n size) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	block, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mapping %s of off-heap memory: %w; ask for less with --off-heap", n, err)
	}
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	return block, nil
}

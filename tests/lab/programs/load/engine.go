package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// request is one operation against the program under test. `worker` tells which of the workers calls, so that each can
// keep a connection of its own; `n` counts requests from 0.
type request func(ctx context.Context, worker int, n uint64) error

const (
	workers     = 256
	queueLength = 1 << 16
	timeout     = 5 * time.Second
)

// job is a request at the time at which it should be sent. Its latency counts from there, so that a program that stalls
// is charged for all requests that should have been sent meanwhile.
type job struct {
	intended time.Time
	n        uint64
	into     *window
}

// window collects what was sent within a stretch of time.
type window struct {
	mu      sync.Mutex
	times   *hdrhistogram.Histogram // microseconds
	errors  uint64
	lastErr string
	dropped atomic.Uint64
	open    sync.WaitGroup // requests on their way
}

func newWindow() *window {
	return &window{times: hdrhistogram.New(1, (60 * time.Second).Microseconds(), 3)}
}

func (w *window) add(took time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errors++
		w.lastErr = err.Error()
		return
	}
	_ = w.times.RecordValue(min(max(1, took.Microseconds()), (60 * time.Second).Microseconds()))
}

// engine sends requests at a rate, at random times (exponential distances, the same ones each time), whatever the answers
// do. At most `workers` are under way; the others wait with the clock running, and beyond queueLength they are dropped
// and counted as errors.
type engine struct {
	send request
	yard *yardstick
	rate atomic.Uint64 // a thousandth of a request per second
	jobs chan job
	done atomic.Uint64 // requests answered without an error, since the start

	mu      sync.Mutex
	current *window
	late    time.Duration // the worst delay of the sender itself
}

func newEngine(send request, rate float64) *engine {
	e := &engine{send: send, yard: newYardstick(), jobs: make(chan job, queueLength), current: newWindow()}
	e.setRate(rate)
	return e
}

func (e *engine) setRate(rate float64) { e.rate.Store(uint64(rate * 1000)) }

func (e *engine) window() *window {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current
}

func (e *engine) replace(w *window) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = w
	e.late = 0
}

func (e *engine) work(worker int) {
	for j := range e.jobs {
		ctx, cancel := context.WithDeadline(context.Background(), j.intended.Add(timeout))
		err := e.send(ctx, worker, j.n)
		cancel()
		if err == nil {
			e.done.Add(1)
		}
		j.into.add(time.Since(j.intended), err)
		j.into.open.Done()
	}
}

// run paces for ever. It sleeps in the kernel: the runtime's own timers are a millisecond coarse in an idle process.
func (e *engine) run() {
	runtime.LockOSThread()
	for i := range workers {
		go e.work(i)
	}
	random := rand.New(rand.NewPCG(7, 11))
	next := time.Now()
	for n := uint64(0); ; n++ {
		next = next.Add(time.Duration(random.ExpFloat64() * 1e12 / float64(e.rate.Load())))
		if wait := time.Until(next); wait > 0 {
			left := syscall.NsecToTimespec(wait.Nanoseconds())
			for errors.Is(syscall.Nanosleep(&left, &left), syscall.EINTR) {
			}
		}
		e.mu.Lock()
		w := e.current
		e.late = max(e.late, time.Since(next))
		e.mu.Unlock()
		w.open.Add(1)
		select {
		case e.jobs <- job{next, n, w}:
		default:
			w.dropped.Add(1)
			w.open.Done()
		}
	}
}

// figures of a window. Requests were to be sent in it and were answered, then or later; answered is what was answered in it,
// whenever it was to be sent. Times are in milliseconds.
type figures struct {
	Seconds   float64 `json:"seconds"`
	Requests  uint64  `json:"requests"`
	Answered  uint64  `json:"answered"`
	Errors    uint64  `json:"errors"`
	LastError string  `json:"lastError,omitempty"`
	P50       float64 `json:"p50Ms"`
	P90       float64 `json:"p90Ms"`
	P99       float64 `json:"p99Ms"`
	P999      float64 `json:"p999Ms"`
	Max       float64 `json:"maxMs"`
	Late      float64 `json:"senderLateMs"`
	// How fast the machine's memory was meanwhile (yardstick).
	ReadNs float64 `json:"memoryReadNs"`
}

// measure gives the figures of the requests that should be sent within the coming d. It returns once all have been
// answered or have failed.
func (e *engine) measure(d time.Duration, began func()) figures {
	w := newWindow()
	start, done := time.Now(), e.done.Load()
	e.replace(w)
	began()
	readNs := e.yard.measure(start.Add(d))
	e.mu.Lock()
	e.current = newWindow()
	late := e.late
	e.mu.Unlock()
	f := figures{Seconds: time.Since(start).Seconds(), ReadNs: readNs, Answered: e.done.Load() - done, Late: milliseconds(late.Microseconds())}
	w.open.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Requests, f.Errors, f.LastError = uint64(w.times.TotalCount()), w.errors+w.dropped.Load(), w.lastErr
	if w.dropped.Load() > 0 {
		f.LastError = fmt.Sprintf("%d requests found the queue full", w.dropped.Load())
	}
	f.P50 = milliseconds(w.times.ValueAtQuantile(50))
	f.P90 = milliseconds(w.times.ValueAtQuantile(90))
	f.P99 = milliseconds(w.times.ValueAtQuantile(99))
	f.P999 = milliseconds(w.times.ValueAtQuantile(99.9))
	f.Max = milliseconds(w.times.Max())
	return f
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }

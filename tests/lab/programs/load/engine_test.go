package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestLatencyCountsFromTheIntendedTime(t *testing.T) {
	release := make(chan struct{})
	var sent atomic.Uint64
	e := newEngine(func(context.Context, int, uint64) error {
		sent.Add(1)
		<-release
		return nil
	}, 20000)
	go e.run()
	const d = 300 * time.Millisecond
	// A program that answers nothing for the whole window: what was to be sent first has waited longest.
	f := e.measure(d, func() { time.AfterFunc(d, func() { close(release) }) })
	if f.Requests <= workers || f.Errors != 0 {
		t.Fatalf("%d requests and %d errors, want more requests than the %d workers", f.Requests, f.Errors, workers)
	}
	if f.P50 < 50 || f.Max < 250 {
		t.Errorf("p50 is %g ms and the maximum %g, though half of the requests had to wait for half of %s", f.P50, f.Max, d)
	}
	if sent.Load() < f.Requests {
		t.Errorf("%d requests counted, %d sent", f.Requests, sent.Load())
	}
}

func TestErrorsAreCounted(t *testing.T) {
	e := newEngine(func(_ context.Context, _ int, n uint64) error {
		if n%2 == 1 {
			return errors.New("no")
		}
		return nil
	}, 2000)
	go e.run()
	f := e.measure(200*time.Millisecond, func() {})
	if f.Errors == 0 || f.LastError != "no" || f.Requests == 0 || f.Answered == 0 {
		t.Errorf("figures are %+v, want errors and answers", f)
	}
}

func TestRateIsFollowed(t *testing.T) {
	e := newEngine(func(context.Context, int, uint64) error { return nil }, 100)
	go e.run()
	slow := e.measure(300*time.Millisecond, func() {})
	e.setRate(10000)
	fast := e.measure(300*time.Millisecond, func() {})
	if fast.Requests < 10*slow.Requests {
		t.Errorf("%d requests at 100 a second and %d at 10000 in the same time", slow.Requests, fast.Requests)
	}
}

func TestRatesAreBounded(t *testing.T) {
	for _, text := range []string{"", "0", "-1", "x", "1e9"} {
		if rate, err := readRate(text); err == nil {
			t.Errorf("%q is taken as %g", text, rate)
		}
	}
	if rate, err := readRate("2.5"); err != nil || rate != 2.5 {
		t.Errorf("2.5 gives %g, %v", rate, err)
	}
}

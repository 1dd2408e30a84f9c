package common

import (
	"math"
	"testing"
	"time"
)

func expect(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

func TestLatencyMemoryRate(t *testing.T) {
	expect(t, "idle", latencyMemoryRate(reading{}), 15)
	expect(t, "growing by 2 MB/s at 10 ms", latencyMemoryRate(reading{heapGrowth: 2e6, p99: 10}), 15*2.6*1.2)
	expect(t, "shrinking", latencyMemoryRate(reading{heapGrowth: -50e6}), 10)
	expect(t, "slow", latencyMemoryRate(reading{p99: 5000}), 100)
}

func TestTwoFactor(t *testing.T) {
	expect(t, "idle", twoFactor(reading{}), 24)
	expect(t, "at 500 a second, heap a quarter full", twoFactor(reading{qps: 500, heapUtil: 0.25}), 80*0.8)
	expect(t, "busy and nearly full", twoFactor(reading{qps: 5000, heapUtil: 0.9}), 80)
}

func TestPauseFeedback(t *testing.T) {
	const heap = 64 << 20
	expect(t, "a small heap", pauseFeedback(reading{gogc: 30, heapBytes: 15 << 20}), 100)
	expect(t, "short pauses", pauseFeedback(reading{gogc: 60, heapBytes: heap, recentPauses: []float64{0.1, 0.1, 0.1}}), 120)
	expect(t, "long pauses", pauseFeedback(reading{gogc: 60, heapBytes: heap, recentPauses: []float64{20, 20, 20}}), 30)
	expect(t, "pauses of 5 ms", pauseFeedback(reading{gogc: 60, heapBytes: heap, recentPauses: []float64{3, 5, 7}}), 60)
	expect(t, "the upper bound", pauseFeedback(reading{gogc: 150, heapBytes: heap}), 200)
	expect(t, "growing allocation", pauseFeedback(reading{gogc: 100, heapBytes: heap, allocGrowth: 3e6}), 160)
	expect(t, "the lower bound",
		pauseFeedback(reading{gogc: 25, heapBytes: heap, allocGrowth: 3e6, recentPauses: []float64{50}}), 25)
}

func TestTrafficSince(t *testing.T) {
	before := readTraffic()
	for range 98 {
		Observe(time.Millisecond)
	}
	Observe(80 * time.Millisecond)
	Observe(80 * time.Millisecond)
	after := readTraffic()
	after.at = before.at.Add(2 * time.Second)
	qps, p99 := after.since(before)
	expect(t, "rate", qps, 50)
	if p99 < 80 || p99 > 80*bucketStep {
		t.Errorf("p99 is %g ms, want 80 to %g", p99, 80*bucketStep)
	}
	if qps, p99 := before.since(before); qps != 0 || p99 != 0 {
		t.Errorf("no requests give %g a second and %g ms", qps, p99)
	}
}

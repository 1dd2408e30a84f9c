// Package common is what every program of the lab has besides its own work: pprof, metrics, a latency histogram that
// the tuners inside the process read, and those tuners.
package common

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var latency = promauto.NewHistogram(prometheus.HistogramOpts{
	Name:    "lab_request_duration_seconds",
	Help:    "Time that the program itself took for a request.",
	Buckets: prometheus.ExponentialBuckets(firstBucket.Seconds(), bucketStep, bucketCount),
})

const (
	firstBucket = 20 * time.Microsecond
	bucketStep  = 1.25
	bucketCount = 56 // up to 4.3 s
)

// counts has the same buckets as the histogram, in a form that costs nothing to read.
var counts [bucketCount + 1]atomic.Uint64

// Observe notes one request. Safe for concurrent use.
func Observe(took time.Duration) {
	latency.Observe(took.Seconds())
	i := 0
	if took > firstBucket {
		i = int(math.Ceil(math.Log(float64(took)/float64(firstBucket)) / math.Log(bucketStep)))
	}
	counts[min(i, bucketCount)].Add(1)
}

// countRequests gives the number of requests so far, where not all of them pass through Observe.
var countRequests atomic.Pointer[func() float64]

// CountRequests says where the number of requests comes from, where not all of them pass through Observe.
func CountRequests(count func() float64) { countRequests.Store(&count) }

// traffic is what was observed at one time, since the start.
type traffic struct {
	at       time.Time
	counts   [bucketCount + 1]uint64
	requests float64
}

func readTraffic() traffic {
	t := traffic{at: time.Now()}
	for i := range counts {
		t.counts[i] = counts[i].Load()
		t.requests += float64(t.counts[i])
	}
	if count := countRequests.Load(); count != nil {
		t.requests = (*count)()
	}
	return t
}

// since gives requests a second and the 99th percentile of their times in milliseconds; 0 and 0 without requests.
func (t traffic) since(before traffic) (qps, p99 float64) {
	total := uint64(0)
	for i := range t.counts {
		total += t.counts[i] - before.counts[i]
	}
	seconds := t.at.Sub(before.at).Seconds()
	if total == 0 || seconds <= 0 {
		return 0, 0
	}
	rank, seen := uint64(math.Ceil(0.99*float64(total))), uint64(0)
	for i := range t.counts {
		seen += t.counts[i] - before.counts[i]
		if seen >= rank {
			upper := float64(firstBucket) * math.Pow(bucketStep, float64(i))
			return (t.requests - before.requests) / seconds, upper / float64(time.Millisecond)
		}
	}
	return (t.requests - before.requests) / seconds, 0
}

package common

// The strategies of three published articles, as the articles write them. What they leave open is said at each.

// reading is what a strategy sees at a tick.
type reading struct {
	gogc         float64   // in force
	heapBytes    float64   // HeapAlloc
	heapGrowth   float64   // of HeapAlloc, bytes a second over the strategy's own window
	allocGrowth  float64   // of HeapAlloc since the last tick, bytes a second
	heapUtil     float64   // HeapInuse / HeapSys
	qps          float64   // since the last tick
	p99          float64   // milliseconds, since the last tick
	recentPauses []float64 // milliseconds, the newest last, at most 3
}

const megabyte = 1e6

// latencyMemoryRate (S2): GOGC = clamp(15·(1+0.8·r)·(1+0.02·p), 10, 100); r = heap growth over 60 s in MB/s, negative where
// the heap shrinks, p = P99 in ms.
func latencyMemoryRate(r reading) float64 {
	return clamp(15*(1+0.8*r.heapGrowth/megabyte)*(1+0.02*r.p99), 10, 100)
}

// twoFactor (S8): GOGC = 80·clamp(QPS/500, 0.3, 2)·max(0.5, 1−0.8·heapUtil).
func twoFactor(r reading) float64 {
	return 80 * clamp(r.qps/500, 0.3, 2) * max(0.5, 1-0.8*r.heapUtil)
}

// pauseFeedback (S14): a heap below 16 MiB → 100; else GOGC / clamp(mean of the last 3 pauses / 5 ms, 0.5, 2) within
// 25..200; then, where allocation grew by more than 2 MB/s, max(25, GOGC·0.8).
func pauseFeedback(r reading) float64 {
	if r.heapBytes < 16<<20 {
		return 100
	}
	mean := 0.0
	for _, pause := range r.recentPauses {
		mean += pause / float64(len(r.recentPauses))
	}
	gogc := clamp(r.gogc/clamp(mean/5, 0.5, 2), 25, 200)
	if r.allocGrowth > 2*megabyte {
		gogc = max(25, gogc*0.8)
	}
	return gogc
}

func clamp(v, low, high float64) float64 { return min(max(v, low), high) }

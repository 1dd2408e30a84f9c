package common

import (
	"fmt"
	"log"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/bytedance/gopkg/util/gctuner"
)

// tune starts the tuner that LAB_TUNER names. Without one the runtime does what GOGC and GOMEMLIMIT say.
func tune() error {
	limit, err := strconv.ParseUint(os.Getenv("LAB_LIMIT"), 10, 64)
	if err != nil {
		return fmt.Errorf("LAB_LIMIT=%q: give the memory limit in bytes: %w", os.Getenv("LAB_LIMIT"), err)
	}
	switch name := os.Getenv("LAB_TUNER"); name {
	case "":
	case "automemlimit":
		set, err := memlimit.Set(memlimit.WithRatio(0.9), memlimit.WithProvider(memlimit.FromCgroup),
			memlimit.WithLogger(slog.Default()))
		if err != nil {
			return fmt.Errorf("automemlimit: %w", err)
		}
		log.Printf("automemlimit set GOMEMLIMIT=%d", set)
	case "gctuner":
		gctuner.SetMinGCPercent(50)
		gctuner.SetMaxGCPercent(500)
		gctuner.Tuning(limit / 10 * 7)
	case "s2":
		go follow(latencyMemoryRate)
	case "s8":
		go follow(twoFactor)
	case "s14":
		go follow(pauseFeedback)
	default:
		return fmt.Errorf("LAB_TUNER=%q: there are automemlimit, gctuner, s2, s8, s14", name)
	}
	return nil
}

const (
	tick         = 5 * time.Second
	growthWindow = 60 * time.Second
	// The first tick comes soon after the first request, just before the lab begins to measure: a service in production was
	// tuned long before it is looked at. The lab's load is higher in the first part of its warm-up; what the strategy sees of
	// the traffic is from after that.
	settle    = 2600 * time.Millisecond
	firstTick = time.Second
)

type heapAt struct {
	at    time.Time
	bytes float64
}

// follow sets GOGC by the strategy at each tick, for ever.
func follow(strategy func(reading) float64) {
	idle := readTraffic()
	for readTraffic().counts == idle.counts {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(settle)
	before := readTraffic()
	gogc := 100.0
	var heaps []heapAt
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	heaps = append(heaps, heapAt{time.Now(), float64(stats.HeapAlloc)})
	for wait := firstTick; ; wait = tick {
		time.Sleep(wait)
		runtime.ReadMemStats(&stats)
		now := readTraffic()
		r := reading{gogc: gogc, heapBytes: float64(stats.HeapAlloc), heapUtil: float64(stats.HeapInuse) / float64(stats.HeapSys)}
		r.qps, r.p99 = now.since(before)
		before = now
		last := heaps[len(heaps)-1]
		r.allocGrowth = (r.heapBytes - last.bytes) / now.at.Sub(last.at).Seconds()
		for len(heaps) > 1 && now.at.Sub(heaps[1].at) >= growthWindow {
			heaps = heaps[1:]
		}
		r.heapGrowth = (r.heapBytes - heaps[0].bytes) / now.at.Sub(heaps[0].at).Seconds()
		heaps = append(heaps, heapAt{now.at, r.heapBytes})
		for i := range min(3, int(stats.NumGC)) {
			pause := stats.PauseNs[(int(stats.NumGC)+255-i)%256]
			r.recentPauses = append([]float64{float64(pause) / 1e6}, r.recentPauses...)
		}
		gogc = strategy(r)
		debug.SetGCPercent(int(math.Round(gogc)))
	}
}

// churn allocates as fast as it may, keeps some of it, and says on SIGUSR1 what the runtime knows of itself: what
// gopacer reads and writes from outside is compared with it.
//
//	churn [-live BYTES] [-rate BYTES] [-stops] [-set-gogc N] [-become PROGRAM] [-auxv FILE]
//
// rate 0: as fast as it may. With -stops it allocates nothing, and stops its world again and again instead. On SIGUSR2 it sets its own GOGC, or becomes another program.
// With -auxv it copies its /proc/self/auxv: what it was told at its start, also where an emulator told it that.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

var names = []string{
	"/gc/gogc:percent", "/gc/gomemlimit:bytes", "/gc/heap/live:bytes", "/gc/heap/goal:bytes",
	"/gc/heap/allocs:bytes", "/gc/cycles/total:gc-cycles",
	"/cpu/classes/gc/mark/assist:cpu-seconds", "/cpu/classes/gc/mark/dedicated:cpu-seconds",
	"/cpu/classes/gc/mark/idle:cpu-seconds",
}

// The world's stops for the collector, under the name that Go 1.21 knows, too.
const pauses = "/gc/pauses:seconds"

// Stops of the world by -stops.
var stops atomic.Uint64

// What is counted in all, and the upper edges of the buckets that half and 99 % are reached in.
func summary(histogram *metrics.Float64Histogram) (count uint64, median, p99 float64) {
	for _, n := range histogram.Counts {
		count += n
	}
	edge := func(share float64) float64 {
		var sum uint64
		for i, n := range histogram.Counts {
			sum += n
			if float64(sum) >= share*float64(count) {
				return histogram.Buckets[i+1]
			}
		}
		return 0
	}
	return count, edge(0.5), edge(0.99)
}

func tell() {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	fmt.Print("state")
	for _, sample := range samples {
		switch sample.Value.Kind() {
		case metrics.KindUint64:
			fmt.Print(" ", sample.Value.Uint64())
		case metrics.KindFloat64:
			fmt.Print(" ", sample.Value.Float64())
		default:
			fmt.Print(" -1")
		}
	}
	histogram := []metrics.Sample{{Name: pauses}}
	metrics.Read(histogram)
	count, median, p99 := summary(histogram[0].Value.Float64Histogram())
	var collector debug.GCStats
	debug.ReadGCStats(&collector)
	fmt.Println("", count, collector.PauseTotal.Seconds(), median, p99, stops.Load(), ".")
}

type node struct {
	next *node
	data [112]byte
}

func main() {
	live := flag.Int("live", 8<<20, "bytes that are kept")
	rate := flag.Int("rate", 0, "bytes a second; 0: as fast as it may")
	stop := flag.Bool("stops", false, "stop the world again and again instead of allocating")
	own := flag.Int("set-gogc", 300, "GOGC that it sets by itself on SIGUSR2")
	other := flag.String("become", "", "program that it becomes on SIGUSR2 instead; it gets a minute's sleep as argument")
	auxv := flag.String("auxv", "", "file that gets a copy of its /proc/self/auxv")
	flag.Parse()

	if *auxv != "" {
		told, err := os.ReadFile("/proc/self/auxv")
		if err == nil {
			err = os.WriteFile(*auxv, told, 0o600)
		}
		if err != nil {
			panic(err)
		}
	}

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range asked {
			if s == syscall.SIGUSR2 && *other != "" {
				panic(syscall.Exec(*other, []string{*other, "60"}, nil))
			}
			if s == syscall.SIGUSR2 {
				debug.SetGCPercent(*own)
			}
			tell()
		}
	}()

	kept := make([]*node, *live/128)
	fmt.Println("churn is ready")
	for *stop {
		var ignored runtime.MemStats
		runtime.ReadMemStats(&ignored)
		stops.Add(1)
	}
	const batch = 1000
	for i := 0; ; i++ {
		kept[i%len(kept)] = &node{next: kept[(i*7919)%len(kept)]}
		kept[i%len(kept)].next = nil
		if i%batch == 0 {
			if *rate > 0 {
				time.Sleep(time.Duration(float64(batch*128) / float64(*rate) * float64(time.Second)))
			}
			runtime.Gosched()
		}
	}
}

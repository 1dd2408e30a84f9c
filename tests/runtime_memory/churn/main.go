// churn allocates as fast as it may, keeps some of it, and says on SIGUSR1 what the runtime knows of itself: what
// gopacer reads and writes from outside is compared with it.
//
//	churn [-live BYTES] [-rate BYTES] [-set-gogc N] [-become PROGRAM]
//
// rate 0: as fast as it may. On SIGUSR2 it sets its own GOGC, or becomes another program.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

var names = []string{
	"/gc/gogc:percent", "/gc/gomemlimit:bytes", "/gc/heap/live:bytes", "/gc/heap/goal:bytes",
	"/gc/heap/allocs:bytes", "/gc/cycles/total:gc-cycles",
	"/cpu/classes/gc/mark/assist:cpu-seconds", "/cpu/classes/gc/mark/dedicated:cpu-seconds",
	"/cpu/classes/gc/mark/idle:cpu-seconds",
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
	fmt.Println(" .")
}

type node struct {
	next *node
	data [112]byte
}

func main() {
	live := flag.Int("live", 8<<20, "bytes that are kept")
	rate := flag.Int("rate", 0, "bytes a second; 0: as fast as it may")
	own := flag.Int("set-gogc", 300, "GOGC that it sets by itself on SIGUSR2")
	other := flag.String("become", "", "program that it becomes on SIGUSR2 instead; it gets a minute's sleep as argument")
	flag.Parse()

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

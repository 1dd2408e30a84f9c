// Truth is a service whose garbage collection is known from inside, for comparing what gopacer estimates from outside.
//
// GET /truth on its pprof port answers, as JSON, counters since the start: bytes allocated and collections from
// runtime/metrics, readings of the live heap, CPU seconds by the kernel, and collection's and those of all classes but idle by the
// runtime (/cpu/classes). The latter are wall-clock time on a processor: CPU time only where no thread waits for a CPU.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type node struct {
	next *node
	name [3]string
}

// Each worker owns a part of the live heap and replaces a piece of it in every step.
type worker struct {
	keep  []*node
	chunk int
	sum   int
}

// Few and long sleeps: each wakes threads that look for work, whose CPU is neither collection's nor the worker's.
const rest = 20 * time.Millisecond

// The work besides allocating: chains that are read for each one that is made.
const readChunks = 24

const nodeBytes = 56 + 8 // of its size class

func chain(n int) *node {
	var head *node
	for ; n > 0; n-- {
		head = &node{next: head}
	}
	return head
}

// cpuSeconds of this process, exact, where getrusage counts ticks.
func cpuSeconds() float64 {
	const wholeProcess = 2 // CLOCK_PROCESS_CPUTIME_ID
	var now syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, wholeProcess, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		log.Fatal(errno)
	}
	return float64(now.Nano()) / 1e9
}

func (w *worker) run(bytesPerSecond float64) {
	began := time.Now()
	allocated := 0.0
	for i := 0; ; i++ {
		w.keep[i%len(w.keep)] = chain(w.chunk)
		allocated += float64(w.chunk * nodeBytes)
		for k := 1; k <= readChunks; k++ {
			for n := w.keep[(i+k*17)%len(w.keep)]; n != nil; n = n.next {
				w.sum += len(n.name[0])
			}
		}
		if ahead := time.Duration(allocated/bytesPerSecond*1e9) - time.Since(began); ahead > rest {
			time.Sleep(ahead)
		}
	}
}

// liveHeap keeps readings of the live heap.
type liveHeap struct {
	sync.Mutex
	sum   float64
	count float64
}

func (l *liveHeap) run() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		metrics.Read(sample)
		l.Lock()
		l.sum += float64(sample[0].Value.Uint64())
		l.count++
		l.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

type truth struct {
	AllocatedBytes uint64
	Cycles         uint64
	LiveSum        float64
	LiveCount      float64
	CpuSeconds     float64
	GcSeconds      float64
	BusySeconds    float64 // all classes but idle
}

func main() {
	live := flag.Int("live", 32, "live heap in MiB")
	rate := flag.Float64("rate", 60, "allocation in MB a second")
	flag.Parse()
	log.SetFlags(0)

	const workers, chunk = 2, 512
	for i := 0; i < workers; i++ {
		w := &worker{chunk: chunk, keep: make([]*node, *live<<20/(chunk*nodeBytes*workers))}
		for k := range w.keep {
			w.keep[k] = chain(chunk)
		}
		go w.run(*rate * 1e6 / workers)
	}
	var heap liveHeap
	go heap.run()

	http.HandleFunc("/truth", func(answer http.ResponseWriter, _ *http.Request) {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
			{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
		metrics.Read(sample)
		now := truth{AllocatedBytes: sample[0].Value.Uint64(), Cycles: sample[1].Value.Uint64(),
			GcSeconds: sample[2].Value.Float64(), CpuSeconds: cpuSeconds(),
			BusySeconds: sample[3].Value.Float64() - sample[4].Value.Float64()}
		heap.Lock()
		now.LiveSum, now.LiveCount = heap.sum, heap.count
		heap.Unlock()
		_ = json.NewEncoder(answer).Encode(now)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("pprof listens on %s", l.Addr())
	log.Fatal(http.Serve(l, nil))
}

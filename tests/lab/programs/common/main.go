package common

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	runtimepprof "runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var ready atomic.Bool

// Start begins tuning and serves pprof, /metrics, /lab/stats and /lab/ready on LAB_DEBUG, a loopback address. It ends the
// process when it cannot, because a program that is not tuned as asked would spoil the comparison.
func Start() {
	if err := tune(); err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", Setting("LAB_DEBUG"))
	if err != nil {
		log.Fatalf("LAB_DEBUG: %v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.Handle("/metrics", promhttp.Handler())
	mux.HandleFunc("/lab/stats", stats)
	mux.HandleFunc("/lab/profile", profile)
	// Collects, and gives back what the heap does not need: what the settings before have left is not in what follows.
	mux.HandleFunc("/lab/free", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	mux.HandleFunc("/lab/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "starting", http.StatusServiceUnavailable)
		}
	})
	go func() {
		s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		log.Fatal(s.Serve(l))
	}()
}

// Ready says that the program serves and its caches are full.
func Ready() { ready.Store(true) }

// Setting is an environment variable that must be there.
func Setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set: the lab's driver sets it", name)
	}
	return value
}

// Check ends the process on an error, naming what was tried.
func Check(what string, err error) {
	if err != nil {
		log.Fatal(fmt.Errorf("%s: %w", what, err))
	}
}

// At Go's own 100 samples a second, a few seconds of a half-busy CPU tell a share of 10 % to within a third of it. The kernel's
// tick allows more.
const profileRate = 250

// profile is /debug/pprof/profile with more samples. The runtime then says on stderr that it can't set the rate, because
// StartCPUProfile asks for 100 once more.
func profile(w http.ResponseWriter, q *http.Request) {
	length, err := time.ParseDuration(q.URL.Query().Get("length"))
	if err != nil || length <= 0 || length > time.Hour {
		http.Error(w, "write length=7s", http.StatusBadRequest)
		return
	}
	runtime.SetCPUProfileRate(profileRate)
	if err := runtimepprof.StartCPUProfile(w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	time.Sleep(length)
	runtimepprof.StopCPUProfile()
}

var wanted = map[string]string{
	"gcCpuSeconds":     "/cpu/classes/gc/total:cpu-seconds",
	"gcAssistSeconds":  "/cpu/classes/gc/mark/assist:cpu-seconds",
	"gcIdleSeconds":    "/cpu/classes/gc/mark/idle:cpu-seconds",
	"cycles":           "/gc/cycles/total:gc-cycles",
	"forcedCycles":     "/gc/cycles/forced:gc-cycles",
	"allocBytes":       "/gc/heap/allocs:bytes",
	"allocObjects":     "/gc/heap/allocs:objects",
	"liveHeapBytes":    "/gc/heap/live:bytes",
	"heapGoalBytes":    "/gc/heap/goal:bytes",
	"gogc":             "/gc/gogc:percent",
	"goMemLimit":       "/gc/gomemlimit:bytes",
	"mappedBytes":      "/memory/classes/total:bytes",
	"releasedBytes":    "/memory/classes/heap/released:bytes",
	"limiterLastCycle": "/gc/limiter/last-enabled:gc-cycle",
	"goroutines":       "/sched/goroutines:goroutines",
	"gomaxprocs":       "/sched/gomaxprocs:threads",
}

// stats answers with the runtime's own figures, as JSON.
func stats(w http.ResponseWriter, _ *http.Request) {
	samples := make([]metrics.Sample, 0, len(wanted))
	names := make([]string, 0, len(wanted))
	for name, metric := range wanted {
		names = append(names, name)
		samples = append(samples, metrics.Sample{Name: metric})
	}
	metrics.Read(samples)
	answer := make(map[string]float64, len(samples))
	for i, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			answer[names[i]] = float64(s.Value.Uint64())
		case metrics.KindFloat64:
			answer[names[i]] = s.Value.Float64()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a reader that went away is its own trouble
}

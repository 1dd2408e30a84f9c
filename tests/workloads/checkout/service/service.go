// Package service is checkout, a test service of the kind people run: it prices carts, keeps sessions in memory and
// exports metrics.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type service struct {
	settings settings
	pod      string
	catalog  *catalog
	sessions *sessions
	trouble  *trouble
	orders   atomic.Int64
	ready    atomic.Bool
	stopping atomic.Bool
	observe  func(time.Duration)

	registry *prometheus.Registry
	duration *prometheus.HistogramVec
	requests *prometheus.CounterVec
}

func newService(s settings, observe func(time.Duration)) *service {
	c := newCatalog()
	v := &service{settings: s, catalog: c, sessions: newSessions(c), trouble: &trouble{leakLimit: int64(s.leakLimit)}, observe: observe}
	v.pod, _ = os.Hostname()
	v.trouble.leak.Store(int64(s.leak))
	v.trouble.extraAlloc.Store(int64(s.extraAlloc))

	v.registry = prometheus.NewRegistry()
	v.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds",
		Help: "Time from reading a request's header to having written its answer.",
		// 250 us to 5.2 s in steps of 25 %: fine enough to interpolate a p99 anywhere between.
		Buckets: prometheus.ExponentialBuckets(0.00025, 1.25, 45),
	}, []string{"handler", "code"})
	v.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests answered, by status code.",
	}, []string{"code"})
	runtimeMetrics := collectors.NewGoCollector()
	if s.allRuntimeMetrics {
		runtimeMetrics = collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll))
	}
	v.registry.MustRegister(v.duration, v.requests, runtimeMetrics,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return v
}

// recorder remembers the status code for the metrics.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

func (v *service) measured(handler string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		start := time.Now()
		r := &recorder{ResponseWriter: w, code: http.StatusOK}
		w.Header().Set("X-Pod", v.pod)
		if v.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		h(r, q)
		code := strconv.Itoa(r.code)
		took := time.Since(start)
		v.duration.WithLabelValues(handler, code).Observe(took.Seconds())
		if v.observe != nil {
			v.observe(took)
		}
		v.requests.WithLabelValues(code).Inc()
	}
}

const maxBody = 256 << 10

func (v *service) checkout(w http.ResponseWriter, q *http.Request) {
	var in cart
	if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, maxBody)).Decode(&in); err != nil {
		http.Error(w, "the cart is not JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	if v.trouble.fails() {
		http.Error(w, "trouble, as asked for by /control/fail", http.StatusInternalServerError)
		return
	}
	number := v.orders.Add(1)
	out, err := price(v.catalog, &in, strconv.FormatInt(number, 36))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	v.sessions.put(v.sessions.ofOrder(out, int(number)))
	v.trouble.inflict()
	writeJSON(w, out)
}

func (v *service) session(w http.ResponseWriter, q *http.Request) {
	one := v.sessions.get(q.PathValue("id"))
	if one == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	writeJSON(w, map[string]any{"id": one.id, "customer": one.customer, "attributes": one.attributes, "last": one.last})
}

func (v *service) readyz(w http.ResponseWriter, _ *http.Request) {
	if !v.ready.Load() {
		http.Error(w, "not ready: the cache is being filled, or the service is stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (v *service) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", v.measured("/checkout", v.checkout))
	mux.HandleFunc("GET /sessions/{id}", v.measured("/sessions", v.session))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", v.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(v.registry, promhttp.HandlerOpts{}))
	return mux
}

func (v *service) debug() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if v.settings.expvar {
		mux.Handle("/debug/vars", expvar.Handler())
	}
	return mux
}

// control changes the trouble of this one pod while it runs; a pod started later is healthy again.
func (v *service) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control", func(w http.ResponseWriter, _ *http.Request) { v.writeTrouble(w) })
	mux.HandleFunc("POST /control/slow", func(w http.ResponseWriter, q *http.Request) {
		d, err := time.ParseDuration(q.URL.Query().Get("by"))
		if err == nil {
			err = checkDelay(d)
		}
		if err != nil {
			http.Error(w, err.Error()+"; write /control/slow?by=50ms, or by=0s to end it", http.StatusBadRequest)
			return
		}
		v.trouble.delay.Store(int64(d))
		v.writeTrouble(w)
	})
	mux.HandleFunc("POST /control/fail", func(w http.ResponseWriter, q *http.Request) {
		n, err := strconv.Atoi(q.URL.Query().Get("of-thousand"))
		if err != nil || n < 0 || n > 1000 {
			http.Error(w, "write /control/fail?of-thousand=50, or =0 to end it", http.StatusBadRequest)
			return
		}
		v.trouble.failing.Store(int64(n))
		v.writeTrouble(w)
	})
	for name, value := range map[string]*atomic.Int64{"leak": &v.trouble.leak, "extra-alloc": &v.trouble.extraAlloc} {
		mux.HandleFunc("POST /control/"+name, func(w http.ResponseWriter, q *http.Request) {
			var n size
			if err := n.Set(q.URL.Query().Get("bytes")); err != nil {
				http.Error(w, err.Error()+"; write /control/"+name+"?bytes=64KiB", http.StatusBadRequest)
				return
			}
			value.Store(int64(n))
			v.writeTrouble(w)
		})
	}
	return mux
}

func (v *service) writeTrouble(w http.ResponseWriter) {
	writeJSON(w, map[string]any{
		"pod":        v.pod,
		"slowBy":     time.Duration(v.trouble.delay.Load()).String(),
		"leak":       size(v.trouble.leak.Load()).String(),
		"extraAlloc": size(v.trouble.extraAlloc.Load()).String(),
		"failing":    v.trouble.failing.Load(),
	})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Printf("writing an answer: %v", err)
	}
}

// serve listens at once, so that a busy port is an error at start and not a log line later.
func serve(name, address string, h http.Handler, failed chan<- error) (*http.Server, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot listen: %w; choose another address", name, err)
	}
	log.Printf("%s listens on %s", name, l.Addr())
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	return s, nil
}

// Run serves until SIGTERM. `observe`, where given, hears how long each request took.
func Run(args []string, observe func(time.Duration)) error {
	s, err := readSettings(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	v := newService(s, observe)
	failed := make(chan error, 3)
	api, err := serve("api", s.listen, v.api(), failed)
	if err != nil {
		return err
	}
	if _, err := serve("pprof", s.pprofListen, v.debug(), failed); err != nil {
		return err
	}
	if _, err := serve("control", s.adminListen, v.control(), failed); err != nil {
		return err
	}

	start := time.Now()
	offHeap, err := mapOffHeap(s.offHeap)
	if err != nil {
		return err
	}
	v.sessions.fill(s.liveHeap)
	v.ready.Store(true)
	log.Printf("ready after %s: %d sessions, live heap %s, GOMAXPROCS %d, GOGC=%q GOMEMLIMIT=%q",
		time.Since(start).Round(time.Millisecond), v.sessions.count(), s.liveHeap, runtime.GOMAXPROCS(0),
		os.Getenv("GOGC"), os.Getenv("GOMEMLIMIT"))

	if s.slowBy > 0 {
		time.AfterFunc(s.slowAfter, func() {
			v.trouble.delay.Store(int64(s.slowBy))
			log.Printf("slow by %s from now on", s.slowBy)
		})
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// Endpoints are withdrawn while the pod is already stopping: go on serving until clients have gone elsewhere.
	log.Printf("stopping: serving for %s more", s.drain)
	// Connections end with their next answer; closing idle ones at once would break requests that are on their way.
	v.ready.Store(false)
	v.stopping.Store(true)
	time.Sleep(s.drain)
	runtime.KeepAlive(offHeap)
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return api.Shutdown(last)
}

// Tsdb is Prometheus's storage and query engine behind a small HTTP API.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"lab/common"
)

const (
	jobs         = 60
	seriesPerJob = 400
	interval     = 15 * time.Second // between scrapes of a job, in the time of the data
	fillScrapes  = 20
)

// job is one scrape target. Its data runs ahead of the clock: each write is a scrape.
type job struct {
	mu     sync.Mutex
	series []labels.Labels
	refs   []storage.SeriesRef
	at     int64 // of the next scrape, milliseconds
	value  float64
}

type service struct {
	db     *tsdb.DB
	engine *promql.Engine
	jobs   []*job
}

func newJob(number int, start int64) *job {
	j := &job{at: start, refs: make([]storage.SeriesRef, seriesPerJob)}
	for i := range seriesPerJob {
		j.series = append(j.series, labels.FromStrings(
			"__name__", "http_requests_total", "job", fmt.Sprintf("job-%d", number), "instance", fmt.Sprintf("10.0.%d.%d:8080", number, i%8),
			"handler", fmt.Sprintf("/api/v1/resource-%d", i/8%25), "code", []string{"200", "404", "500"}[i/200%3], "pod", fmt.Sprintf("pod-%d-%d", number, i)))
	}
	return j
}

// scrape appends a part of the job's series: a request writes 100 samples.
func (s *service) scrape(ctx context.Context, j *job, count int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	a := s.db.Appender(ctx)
	for range count {
		i := int(j.value) % seriesPerJob
		ref, err := a.Append(j.refs[i], j.series[i], j.at, j.value)
		if err != nil {
			_ = a.Rollback()
			return err
		}
		j.refs[i] = ref
		j.value++
		if int(j.value)%seriesPerJob == 0 {
			j.at += interval.Milliseconds()
		}
	}
	return a.Commit()
}

func (s *service) write(w http.ResponseWriter, q *http.Request) {
	if err := s.scrape(q.Context(), s.jobOf(q), 100); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *service) jobOf(q *http.Request) *job {
	n, _ := strconv.Atoi(q.URL.Query().Get("job"))
	return s.jobs[max(0, n)%jobs]
}

// query answers what a dashboard asks: rates by handler over the last five minutes of the data.
func (s *service) query(w http.ResponseWriter, q *http.Request) {
	j := s.jobOf(q)
	j.mu.Lock()
	end := time.UnixMilli(j.at)
	j.mu.Unlock()
	text := fmt.Sprintf(`sum by (handler) (rate(http_requests_total{job=%q}[1m]))`, j.series[0].Get("job"))
	query, err := s.engine.NewRangeQuery(q.Context(), s.db, nil, text, end.Add(-5*time.Minute), end, 30*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer query.Close()
	result := query.Exec(q.Context())
	if result.Err != nil {
		http.Error(w, result.Err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, result.Value)
}

func timed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		start := time.Now()
		h(w, q)
		common.Observe(time.Since(start))
	}
}

func main() {
	common.Start()
	options := tsdb.DefaultOptions()
	options.WALSegmentSize = -1 // no log on disk: the lab measures the heap, not the disk
	db, err := tsdb.Open(common.Setting("LAB_DIR"), slog.Default(), nil, options, nil)
	common.Check("tsdb", err)
	s := &service{db: db, engine: promql.NewEngine(promql.EngineOpts{
		Logger: slog.Default(), MaxSamples: 5_000_000, Timeout: 10 * time.Second, LookbackDelta: 5 * time.Minute,
	})}
	start := time.Now().Truncate(2 * time.Hour).UnixMilli()
	for i := range jobs {
		s.jobs = append(s.jobs, newJob(i, start))
		common.Check("fill", s.scrape(context.Background(), s.jobs[i], seriesPerJob*fillScrapes))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", timed(s.write))
	mux.HandleFunc("GET /query", timed(s.query))
	common.Ready()
	log.Fatal((&http.Server{Addr: common.Setting("LAB_LISTEN"), Handler: mux, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}

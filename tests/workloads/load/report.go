package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// tally collects results, in all and by the pod that answered (header X-Pod, where a service sends it).
type tally struct {
	all  vegeta.Metrics
	pods map[string]*vegeta.Metrics
}

const maxPods = 64

func newTally() *tally { return &tally{pods: make(map[string]*vegeta.Metrics)} }

func (t *tally) add(r *vegeta.Result) {
	t.all.Add(r)
	pod := r.Headers.Get("X-Pod")
	if pod == "" {
		return
	}
	if t.pods[pod] == nil {
		if len(t.pods) == maxPods {
			return
		}
		t.pods[pod] = &vegeta.Metrics{}
	}
	t.pods[pod].Add(r)
}

// figures are what a report holds. Times are in milliseconds, rates per second, success is a fraction of 1.
type figures struct {
	Final      bool               `json:"final"`
	Seconds    float64            `json:"seconds"`
	Requests   uint64             `json:"requests"`
	Rate       float64            `json:"rate"`
	Throughput float64            `json:"throughput"`
	Success    float64            `json:"success"`
	P50        float64            `json:"p50Ms"`
	P90        float64            `json:"p90Ms"`
	P99        float64            `json:"p99Ms"`
	Max        float64            `json:"maxMs"`
	Codes      map[string]int     `json:"codes,omitempty"`
	Errors     []string           `json:"errors,omitempty"`
	Pods       map[string]figures `json:"pods,omitempty"`
}

const maxErrors = 5

// summary is of results so far when final is false, and closes the tally otherwise.
func (t *tally) summary(final bool) figures {
	f := summarize(&t.all)
	f.Final = final
	if len(t.pods) > 0 {
		f.Pods = make(map[string]figures)
		for name, m := range t.pods {
			f.Pods[name] = summarize(m)
		}
	}
	return f
}

func summarize(m *vegeta.Metrics) figures {
	if m.Requests == 0 {
		return figures{}
	}
	m.Close()
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return figures{
		Seconds: m.Duration.Seconds(), Requests: m.Requests, Rate: m.Rate, Throughput: m.Throughput, Success: m.Success,
		P50: milliseconds(m.Latencies.P50), P90: milliseconds(m.Latencies.P90), P99: milliseconds(m.Latencies.P99),
		Max: milliseconds(m.Latencies.Max), Codes: m.StatusCodes, Errors: m.Errors[:min(len(m.Errors), maxErrors)],
	}
}

func (f figures) print(w io.Writer, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(f)
		return
	}
	title := "now  "
	if f.Final {
		title = "total"
	}
	fmt.Fprintf(w, "%s %6.1fs  %7d requests  %6.1f/s ok  success %6.2f%%  p50 %7.2fms  p90 %7.2fms  p99 %7.2fms  max %7.2fms\n",
		title, f.Seconds, f.Requests, f.Throughput, 100*f.Success, f.P50, f.P90, f.P99, f.Max)
	for _, text := range f.Errors {
		fmt.Fprintf(w, "      error: %s\n", text)
	}
	if !f.Final {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(f.Pods)) {
		p := f.Pods[name]
		fmt.Fprintf(w, "      %-48s %7d requests  p50 %7.2fms  p99 %7.2fms\n", name, p.Requests, p.P50, p.P99)
	}
}

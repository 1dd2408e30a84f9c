package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

type hostile struct {
	mode, redirectTo string
	good             []byte // a whole answer of /debug/pprof/heap?debug=1
}

// recordedGood is this process's own heap profile, so that all lies start from a true body of the Go it was built with.
func recordedGood() []byte {
	runtime.GC()
	var b bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&b, 1); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

const goodMetrics = `# HELP http_request_duration_seconds Time to answer.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{handler="/",le="0.01"} 90
http_request_duration_seconds_bucket{handler="/",le="0.1"} 99
http_request_duration_seconds_bucket{handler="/",le="+Inf"} 100
http_request_duration_seconds_sum{handler="/"} 1.5
http_request_duration_seconds_count{handler="/"} 100
`

func (h *hostile) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	mode := h.mode
	if q.URL.Path == "/healthz" || q.URL.Path == "/readyz" {
		mode = "text" // the kubelet must find it healthy, or it never becomes a target
	} else if mode == "by-path" {
		mode, _, _ = strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	}
	answer := modes[mode]
	if answer == nil {
		answer = modes["404"]
	}
	answer(h, w, q)
}

// body is the true answer for the path: metrics where metrics are asked for, a heap profile elsewhere.
func (h *hostile) body(q *http.Request) string {
	if strings.HasSuffix(q.URL.Path, "/metrics") {
		return goodMetrics
	}
	return string(h.good)
}

var modes = map[string]func(*hostile, http.ResponseWriter, *http.Request){
	"good":  func(h *hostile, w http.ResponseWriter, q *http.Request) { fmt.Fprint(w, h.body(q)) },
	"text":  func(_ *hostile, w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") },
	"empty": func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	"html": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><html><head><title>Sign in</title></head><body># Alloc = please sign in</body></html>")
	},
	"404": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such page", http.StatusNotFound)
	},
	"500": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "it broke", http.StatusInternalServerError)
	},
	"endless":   endless,
	"long-line": longLine,
	"drip":      drip,
	"hang":      func(_ *hostile, _ http.ResponseWriter, q *http.Request) { <-q.Context().Done() },
	"abort":     abort,
	"truncated": truncated,
	"nan":       with("NaN"),
	"negative":  with("-1"),
	"overflow":  with("99999999999999999999999999"),
	"zero":      with("0"),
	"twice":     func(h *hostile, w http.ResponseWriter, q *http.Request) { fmt.Fprint(w, h.body(q), h.body(q)) },
	"binary":    binary,
	"bomb":      bomb,
	"redirect": func(h *hostile, w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, h.redirectTo, http.StatusFound)
	},
	"redirect-loop": func(_ *hostile, w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, q.URL.String(), http.StatusFound)
	},
	"wrong-length": wrongLength,
	"wide":         wide,
	"grown":        grown,
}

// endless repeats lines that belong into the body, for as long as somebody reads.
func endless(h *hostile, w http.ResponseWriter, q *http.Request) {
	chunk := []byte(strings.Repeat("# 1: 16 [1: 16] @ 0x1 0x2 0x3\n", 2000))
	for q.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// longLine never ends its first line.
func longLine(_ *hostile, w http.ResponseWriter, q *http.Request) {
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for q.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// drip sends a true body at a byte a second: each read succeeds, and the whole takes days.
func drip(h *hostile, w http.ResponseWriter, q *http.Request) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for _, b := range []byte(h.body(q)) {
		if _, err := w.Write([]byte{b}); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-q.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// abort closes the connection after half of the body.
func abort(h *hostile, w http.ResponseWriter, q *http.Request) {
	text := h.body(q)
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	fmt.Fprint(w, text[:len(text)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// truncated is a whole HTTP answer with half of what it should hold: the trailer, or the histogram, ends in mid-line.
func truncated(h *hostile, w http.ResponseWriter, q *http.Request) {
	text := h.body(q)
	cut := strings.Index(text, "# HeapSys = ")
	if cut < 0 {
		cut = strings.Index(text, `le="+Inf"`)
	}
	fmt.Fprint(w, text[:cut+len("# HeapSys")])
}

// wide is a histogram of as many bounds as go into a page.
func wide(h *hostile, w http.ResponseWriter, q *http.Request) {
	if !strings.HasSuffix(q.URL.Path, "/metrics") {
		fmt.Fprint(w, h.body(q))
		return
	}
	fmt.Fprintln(w, "# TYPE http_request_duration_seconds histogram")
	for i := range 65536 {
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{le=\"%d\"} %d\n", i, i)
	}
	fmt.Fprintln(w, "http_request_duration_seconds_bucket{le=\"+Inf\"} 65536")
}

// grown is a histogram of as many series as go into a page, each of another label and as wide as can be read.
func grown(h *hostile, w http.ResponseWriter, q *http.Request) {
	if !strings.HasSuffix(q.URL.Path, "/metrics") {
		fmt.Fprint(w, h.body(q))
		return
	}
	fmt.Fprintln(w, "# TYPE http_request_duration_seconds histogram")
	for series := range 250 {
		for i := range 255 {
			fmt.Fprintf(w, "http_request_duration_seconds_bucket{route=\"%d\",le=\"%d\"} %d\n", series, i, i)
		}
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{route=\"%d\",le=\"+Inf\"} 255\n", series)
	}
}

func wrongLength(h *hostile, w http.ResponseWriter, q *http.Request) {
	text := h.body(q)
	w.Header().Set("Content-Length", fmt.Sprint(len(text)+1000))
	fmt.Fprint(w, text)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

var (
	trailerNumber = regexp.MustCompile(`(?m)^(# [A-Za-z]+ = )[0-9][0-9.e+-]*`)
	metricNumber  = regexp.MustCompile(`(?m)^([^#\n]* )[0-9.]+$`)
)

// with puts one value in place of every number of the trailer or of the exposition.
func with(value string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(h *hostile, w http.ResponseWriter, q *http.Request) {
		text := h.body(q)
		text = trailerNumber.ReplaceAllString(text, "${1}"+value)
		if strings.HasSuffix(q.URL.Path, "/metrics") {
			text = metricNumber.ReplaceAllString(text, "${1}"+value)
		}
		fmt.Fprint(w, text)
	}
}

func binary(_ *hostile, w http.ResponseWriter, _ *http.Request) {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte(i * 167 >> (i % 7))
	}
	_, _ = w.Write(block)
}

// bomb is 1 MiB on the wire and 1 GiB unpacked, sent packed whether the client asked for it or not.
func bomb(_ *hostile, w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	defer packed.Close()
	zeros := make([]byte, 1<<20)
	for i := 0; i < 1024 && q.Context().Err() == nil; i++ {
		if _, err := packed.Write(zeros); err != nil {
			return
		}
	}
}

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// read gives what a trusting client sees: at most limit bytes, for at most a second.
func read(t *testing.T, url string, limit int64) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	q, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	return answer.StatusCode, string(body), err
}

func TestModesDoTheirHarm(t *testing.T) {
	server := httptest.NewServer(&hostile{mode: "by-path", redirectTo: "http://127.0.0.1:9/", good: recordedGood()})
	defer server.Close()
	for mode, want := range map[string]struct {
		code       int
		has, hasNo string
		fails      bool
	}{
		"good/heap":          {code: 200, has: "# NumGC = "},
		"good/metrics":       {code: 200, has: "_bucket"},
		"html/heap":          {code: 200, has: "<html>"},
		"404/heap":           {code: 404},
		"500/heap":           {code: 500},
		"empty/heap":         {code: 200, hasNo: "#"},
		"truncated/heap":     {code: 200, has: "# HeapAlloc = ", hasNo: "# NumGC"},
		"truncated/metrics":  {code: 200, has: "_bucket", hasNo: "_count"},
		"nan/heap":           {code: 200, has: "# NextGC = NaN"},
		"nan/metrics":        {code: 200, has: "_count{handler=\"/\"} NaN"},
		"negative/heap":      {code: 200, has: "# TotalAlloc = -1"},
		"overflow/heap":      {code: 200, has: "# Sys = 99999999999999999999999999"},
		"redirect/heap":      {code: 302},
		"redirect-loop/heap": {code: 302},
		"wrong-length/heap":  {code: 200, has: "# NumGC", fails: true},
		"abort/heap":         {code: 200, fails: true},
		"drip/heap":          {code: 200, fails: true},
		"hang/heap":          {fails: true},
		"nonsense/heap":      {code: 404},
		"wide/metrics":       {code: 200, has: "{le=\"9999\"}"},
		"grown/metrics":      {code: 200, has: "{route=\"9\",le=\"254\"}"},
		"healthz":            {code: 200, has: "ok"},
	} {
		code, body, err := read(t, server.URL+"/"+mode, 1<<20)
		if code != want.code || (err != nil) != want.fails || !strings.Contains(body, want.has) ||
			want.hasNo != "" && strings.Contains(body, want.hasNo) {
			t.Errorf("%s: code %d, %d bytes, error %v; want %+v", mode, code, len(body), err, want)
		}
	}
	for _, mode := range []string{"endless", "long-line", "bomb"} {
		if _, body, err := read(t, server.URL+"/"+mode+"/heap", 20<<20); err != nil || len(body) != 20<<20 {
			t.Errorf("%s: %d bytes, error %v; want 20 MiB and more to come", mode, len(body), err)
		}
	}
}

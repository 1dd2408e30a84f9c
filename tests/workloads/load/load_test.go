package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func TestRotationRenewsConnections(t *testing.T) {
	var mu sync.Mutex
	clients := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		clients[q.RemoteAddr] = true
	}))
	defer server.Close()

	send := func(r *rotation, n int) int {
		clear(clients)
		for range n {
			q, _ := http.NewRequest("GET", server.URL, nil)
			answer, err := r.RoundTrip(q)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
		}
		return len(clients)
	}
	if n := send(newRotation(time.Nanosecond, time.Second), 100); n != 100 {
		t.Errorf("100 requests over expired connections used %d connections, want one each", n)
	}
	if n := send(newRotation(time.Hour, time.Second), 1000); n > slotCount {
		t.Errorf("1000 requests used %d connections, want at most one for each of %d slots", n, slotCount)
	}
}

func TestSettingsAreBounded(t *testing.T) {
	good := []string{"--target", "http://127.0.0.1:1/"}
	if _, err := readSettings(good); err != nil {
		t.Fatal(err)
	}
	for text, extra := range map[string][]string{
		"--rate 6000":     {"--rate", "6000"},
		"--duration":      {"--duration", "7h"},
		"exclude":         {"--carts", "--body", "x"},
		"write a URL":     {"--target", "10.0.0.1:80"},
		"flags only":      {"x"},
		"must be above 0": {"--timeout", "0"},
	} {
		if _, err := readSettings(append(good, extra...)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v gives %v, want an error with %q", extra, err, text)
		}
	}
}

func TestTallySplitsByPod(t *testing.T) {
	all := newTally()
	for i := range 10 {
		pod := []string{"a", "b"}[i%2]
		all.add(&vegeta.Result{Code: 200, Latency: time.Millisecond, Headers: http.Header{"X-Pod": {pod}}})
	}
	f := all.summary(true)
	if f.Requests != 10 || f.Pods["a"].Requests != 5 || f.Success != 1 || f.P99 != 1 {
		t.Errorf("summary is %+v", f)
	}
}

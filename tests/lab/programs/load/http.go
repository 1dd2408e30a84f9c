package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConns: workers, MaxIdleConnsPerHost: workers, DisableCompression: true}}

// exchange sends a request and reads all of the answer. Any status but 200 is an error.
func exchange(ctx context.Context, method, url string, body []byte, host string) error {
	q, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Host = host
	answer, err := client.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, answer.Status)
	}
	return nil
}

// checkout sends carts of 5 to 24 lines.
func checkout(address string) (request, error) {
	random := rand.New(rand.NewPCG(1, 2))
	var bodies [][]byte
	for i := range 64 {
		var lines []map[string]any
		for range 5 + random.IntN(20) {
			lines = append(lines, map[string]any{
				"sku": fmt.Sprintf("sku-%d", 100000+random.IntN(2000)), "quantity": 1 + random.IntN(12),
			})
		}
		body, err := json.Marshal(map[string]any{
			"customer": fmt.Sprintf("customer-%d", i), "coupon": []string{"", "spring"}[i%2], "lines": lines,
			"context": map[string]string{"locale": "de-DE", "channel": "web", "campaign": fmt.Sprintf("c%d", i%9)},
		})
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return func(ctx context.Context, _ int, n uint64) error {
		return exchange(ctx, http.MethodPost, "http://"+address+"/checkout", bodies[n%64], "")
	}, nil
}

// caddy asks its sites in turn for a page that is rendered from a template.
func caddy(address string) (request, error) {
	return func(ctx context.Context, _ int, n uint64) error {
		// A stride that is prime to the number of sites visits all of them in a mixed order.
		host := fmt.Sprintf("site-%d.example", n*37%sites)
		return exchange(ctx, http.MethodGet, "http://"+address+"/list.json?n=30", nil, host)
	}, nil
}

const sites = 400

// tsdb writes samples of a scrape, and asks for a rate in one of 4 requests.
func tsdb(address string) (request, error) {
	return func(ctx context.Context, _ int, n uint64) error {
		if n%4 == 3 {
			return exchange(ctx, http.MethodGet, fmt.Sprintf("http://%s/query?job=%d", address, n/4%jobs), nil, "")
		}
		return exchange(ctx, http.MethodPost, fmt.Sprintf("http://%s/write?job=%d", address, n%jobs), nil, "")
	}, nil
}

const jobs = 60

// etcd writes a key in one of 4 requests, and reads 20 in the others.
func etcd(address string) (request, error) {
	return func(ctx context.Context, _ int, n uint64) error {
		if n%4 == 3 {
			return exchange(ctx, http.MethodPost, fmt.Sprintf("http://%s/put?n=%d", address, n*7919%20000), nil, "")
		}
		return exchange(ctx, http.MethodGet, fmt.Sprintf("http://%s/range?n=%d", address, n*7919%20000), nil, "")
	}, nil
}

// sqlite reads 50 rows.
func sqlite(address string) (request, error) {
	return func(ctx context.Context, _ int, n uint64) error {
		return exchange(ctx, http.MethodGet, fmt.Sprintf("http://%s/products?n=%d", address, n*7919%40000), nil, "")
	}, nil
}

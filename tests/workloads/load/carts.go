package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// carts makes n request bodies for the checkout service, the same ones each time.
func carts(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	bodies := make([][]byte, 0, n)
	for i := range n {
		var lines []map[string]any
		for range 5 + random.IntN(20) {
			lines = append(lines, map[string]any{
				"sku": fmt.Sprintf("sku-%d", 100000+random.IntN(2000)), "quantity": 1 + random.IntN(12),
			})
		}
		body, err := json.Marshal(map[string]any{
			"customer": fmt.Sprintf("customer-%d", i),
			"coupon":   []string{"", "spring"}[i%2],
			"lines":    lines,
			"context":  map[string]string{"locale": "de-DE", "channel": "web", "campaign": fmt.Sprintf("c%d", i%9)},
		})
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		bodies = append(bodies, body)
	}
	return bodies
}

package main

import (
	"context"
	"fmt"

	natsio "github.com/nats-io/nats.go"
)

// nats publishes to a stream that is kept in memory and waits for the acknowledgement; one of 4 requests reads the latest
// message of a subject instead.
func nats(address string) (request, error) {
	const connectionCount = 8
	var streams []natsio.JetStreamContext
	for range connectionCount {
		c, err := natsio.Connect("nats://" + address)
		if err != nil {
			return nil, err
		}
		js, err := c.JetStream()
		if err != nil {
			return nil, err
		}
		streams = append(streams, js)
	}
	payload := make([]byte, 512)
	for i := range payload {
		payload[i] = byte('a' + i%23)
	}
	return func(ctx context.Context, worker int, n uint64) error {
		js := streams[worker%connectionCount]
		if n%4 == 3 {
			// A subject that is published to: others have no message any more.
			_, err := js.GetLastMsg("orders", subjectOf(n-2), natsio.Context(ctx))
			return err
		}
		_, err := js.Publish(subjectOf(n), payload, natsio.Context(ctx))
		return err
	}, nil
}

const subjects = 10000

func subjectOf(n uint64) string { return fmt.Sprintf("orders.%d", n*31%subjects) }

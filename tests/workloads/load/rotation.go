package main

import (
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// rotation spreads requests over many short-lived connections. kube-proxy chooses a pod per connection, not per request:
// with ordinary keep-alive a new pod of the Service would get nothing until old connections end, and at low concurrency
// one connection, hence one pod, would take nearly everything.
// Safe for concurrent use.
type rotation struct {
	life  time.Duration
	fresh func() *http.Transport
	slots []slot
}

type slot struct {
	mu        sync.Mutex
	transport *http.Transport
	expires   time.Time
}

const (
	slotCount   = 64
	idleTimeout = time.Second
)

func newRotation(life, dialTimeout time.Duration) *rotation {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &rotation{
		life:  life,
		slots: make([]slot, slotCount),
		fresh: func() *http.Transport {
			return &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: life + idleTimeout}
		},
	}
}

func (r *rotation) RoundTrip(q *http.Request) (*http.Response, error) {
	return r.pick(time.Now()).RoundTrip(q)
}

// pick gives a random slot's transport, renewed when its life is over. Lives differ, so that renewals do not come in waves.
func (r *rotation) pick(now time.Time) *http.Transport {
	s := &r.slots[rand.IntN(len(r.slots))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport == nil || now.After(s.expires) {
		if s.transport != nil {
			// Connections still in use go idle in the old transport, where nobody takes them, and time out.
			s.transport.CloseIdleConnections()
		}
		s.transport = r.fresh()
		s.expires = now.Add(r.life/2 + rand.N(r.life))
	}
	return s.transport
}

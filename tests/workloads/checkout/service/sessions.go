package service

import (
	"runtime"
	"strconv"
	"sync"
)

// session is deliberately made of many small objects: what marking costs is pointers, not bytes.
type session struct {
	id         string
	customer   string
	lines      []*sessionLine
	attributes map[string]string
	last       *order
}

type sessionLine struct {
	product *product
	note    *string
	next    *sessionLine
}

// sessions is a cache of fixed size: a new entry takes the place of the oldest, so that the live heap stays as filled.
// Safe for concurrent use.
type sessions struct {
	catalog *catalog

	mu     sync.Mutex
	ring   []*session
	oldest int
	byID   map[string]*session
}

func newSessions(c *catalog) *sessions {
	return &sessions{catalog: c, byID: make(map[string]*session)}
}

// fill adds sessions until the live heap has grown by about `target`. It forces three collections to weigh itself,
// all before the service is ready.
func (s *sessions) fill(target size) {
	before := liveHeap()
	const probe = 1000
	for i := 0; i < probe && target > 0; i++ {
		s.add(s.made(i))
	}
	each := max((liveHeap()-before)/probe, 1)
	for i := probe; int64(i)*each < int64(target); i++ {
		s.add(s.made(i))
	}
	runtime.GC()
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (s *sessions) add(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring = append(s.ring, one)
	s.byID[one.id] = one
}

// put replaces the oldest session; with an empty cache it does nothing.
func (s *sessions) put(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == 0 {
		return
	}
	delete(s.byID, s.ring[s.oldest].id)
	s.ring[s.oldest] = one
	s.byID[one.id] = one
	s.oldest = (s.oldest + 1) % len(s.ring)
}

func (s *sessions) get(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ring)
}

const linesPerSession = 12

// made is the session number i as if restored from a store.
func (s *sessions) made(i int) *session {
	number := strconv.Itoa(i)
	one := &session{
		id:       "session-" + number,
		customer: "customer-" + strconv.Itoa(i%5000),
		attributes: map[string]string{
			"region": "eu-" + strconv.Itoa(i%7), "agent": "browser " + strconv.Itoa(i%300), "cookie": "c" + number,
		},
		last: &order{ID: number, Totals: map[string]int64{"payable": int64(i)}},
	}
	var next *sessionLine
	for k := range linesPerSession {
		note := "line " + strconv.Itoa(k) + " of " + number
		next = &sessionLine{product: s.catalog.bySKU[skuOf((i*31+k*7)%catalogSize)], note: &note, next: next}
		one.lines = append(one.lines, next)
	}
	return one
}

// ofOrder is a session as heavy as those of fill, so that churn leaves the live heap where it was.
func (s *sessions) ofOrder(o *order, i int) *session {
	one := s.made(i)
	one.id, one.customer = "session-"+o.ID, o.Customer
	one.last.ID, one.last.Customer, one.last.Totals["payable"] = o.ID, o.Customer, o.Totals["payable"]
	return one
}

package main

import (
	"testing"
	"time"
)

func TestYardstickGoesToEveryPlaceOnce(t *testing.T) {
	y := newYardstick()
	places := len(y.next) / lineWords
	seen := make([]bool, places)
	at := uint32(0)
	for range places {
		place := at / lineWords
		if seen[place] {
			t.Fatalf("place %d is visited twice", place)
		}
		seen[place] = true
		at = y.next[at]
	}
}

func TestYardstickGivesTheTimeOfARead(t *testing.T) {
	if ns := newYardstick().measure(time.Now().Add(50 * time.Millisecond)); ns <= 0 || ns > 1e6 {
		t.Errorf("a read takes %v ns", ns)
	}
}

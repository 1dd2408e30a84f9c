// Recorder asks itself for the answers that a Go service gives to a scraper, and writes them down. It uses nothing that
// Go 1.18 has not got, and stays small, so that its profiles are short without being cut.
//
//	recorder PREFIX: writes PREFIX-fresh.heap.txt, PREFIX-busy.heap.txt, PREFIX-off.heap.txt, PREFIX.vars.json, PREFIX.cpu.pb.gz
package main

import (
	"errors"
	_ "expvar"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

type node struct {
	next *node
	name string
}

// chain is a list and not a tree made by recursion, which would give thousands of different stacks.
func chain(n int) *node {
	var head *node
	for ; n > 0; n-- {
		head = &node{next: head, name: fmt.Sprint("node ", n)}
	}
	return head
}

// keep is the live heap; churn replaces parts of it.
var keep [64]atomic.Value

func churn(stop *int32) {
	for i := 0; atomic.LoadInt32(stop) == 0; i++ {
		keep[i%len(keep)].Store(chain(1000))
	}
}

func save(address, path, file string) error {
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %.200s", path, answer.Status, body)
	}
	return os.WriteFile(file, body, 0o644)
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("give a prefix for the files")
	}
	prefix := os.Args[1]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, nil) }()
	address := l.Addr().String()

	// Before the first collection, LastGC and the rings are zero.
	if err := save(address, "/debug/pprof/heap?debug=1", prefix+"-fresh.heap.txt"); err != nil {
		return err
	}

	var stop int32
	var wait sync.WaitGroup
	for i := 0; i < 2; i++ {
		wait.Add(1)
		go func() { defer wait.Done(); churn(&stop) }()
	}
	if err := save(address, "/debug/pprof/profile?seconds=3", prefix+".cpu.pb.gz"); err != nil {
		return err
	}
	// More than 256 collections, so that the rings have gone round.
	for m := (runtime.MemStats{}); m.NumGC < 300; runtime.ReadMemStats(&m) {
		runtime.Gosched()
	}
	runtime.GC() // one forced
	if err := save(address, "/debug/pprof/heap?debug=1", prefix+"-busy.heap.txt"); err != nil {
		return err
	}
	if err := save(address, "/debug/vars", prefix+".vars.json"); err != nil {
		return err
	}
	atomic.StoreInt32(&stop, 1)
	wait.Wait()
	// With GOGC=off, NextGC is no longer a size: 9.2e18, or since Go 1.21 3 % less.
	debug.SetGCPercent(-1)
	runtime.GC()
	return save(address, "/debug/pprof/heap?debug=1", prefix+"-off.heap.txt")
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
}

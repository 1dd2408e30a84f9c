// Hostile answers every request with something a scraper must survive. It plays a pod that is broken or means harm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func run(args []string) error {
	f := flag.NewFlagSet("hostile", flag.ContinueOnError)
	listen := f.String("listen", ":6060", "addresses to listen on, with commas between them")
	mode := f.String("mode", envOr("HOSTILE_MODE", "by-path"),
		"what to answer: by-path takes the mode from the first part of the path (/drip/debug/pprof/heap), or one of "+
			strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
	redirectTo := f.String("redirect-to", "http://127.0.0.1:9/", "where the mode redirect sends a client")
	if err := f.Parse(args); err != nil {
		return err
	}
	handler := &hostile{mode: *mode, redirectTo: *redirectTo, good: recordedGood()}
	if *mode != "by-path" && modes[*mode] == nil {
		return fmt.Errorf("no mode %q: choose by-path or one of %s", *mode, strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// No write time-out: slowness is the point. Connections end with the process.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 4)
	for address := range strings.SplitSeq(*listen, ",") {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("cannot listen: %w; choose another --listen", err)
		}
		fmt.Printf("listening on %s\n", l.Addr())
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

func envOr(name, otherwise string) string {
	if text, ok := os.LookupEnv(name); ok {
		return text
	}
	return otherwise
}

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

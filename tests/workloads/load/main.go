// Load sends requests at a fixed rate, whatever the answers do (open loop), for a bounded time, and reports latencies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

type targets []string

func (t *targets) String() string { return strings.Join(*t, ",") }

func (t *targets) Set(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("target %q: write a URL such as http://10.96.0.7:8080/checkout", text)
	}
	*t = append(*t, text)
	return nil
}

type settings struct {
	targets                          targets
	rate                             float64
	duration, every, timeout, connTo time.Duration
	method, body                     string
	carts, json                      bool
	maxWorkers                       uint64
}

const (
	maxRate     = 5000
	maxDuration = 6 * time.Hour
	cartCount   = 64
)

func readSettings(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.Var(&s.targets, "target", "URL to send to; repeat for several, which get equal shares")
	f.Float64Var(&s.rate, "rate", 200, fmt.Sprintf("requests per second over all targets, at most %d", maxRate))
	f.DurationVar(&s.duration, "duration", time.Minute, fmt.Sprintf("time to send for, at most %s", maxDuration))
	f.DurationVar(&s.every, "every", 5*time.Second, "time between reports, 0 for the last one only")
	f.DurationVar(&s.timeout, "timeout", 5*time.Second, "time after which a request counts as failed")
	f.DurationVar(&s.connTo, "connection-life", time.Second, "mean life of a connection: how fast new pods of a Service get their share")
	f.StringVar(&s.method, "method", "", "HTTP method; GET without a body, POST with one")
	f.StringVar(&s.body, "body", "", "request body, or @FILE")
	f.BoolVar(&s.carts, "carts", false, "send generated carts for the checkout service")
	f.BoolVar(&s.json, "json", false, "report as one JSON object a line")
	f.Uint64Var(&s.maxWorkers, "max-workers", 4000, "requests in flight at once; above it the loop is no longer open")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q: this program takes flags only", f.Arg(0))
	case len(s.targets) == 0:
		return s, errors.New("no --target: say where to send requests")
	case s.rate <= 0 || s.rate > maxRate:
		return s, fmt.Errorf("--rate %g is outside 0 to %d", s.rate, maxRate)
	case s.duration <= 0 || s.duration > maxDuration:
		return s, fmt.Errorf("--duration %s is outside 0s to %s", s.duration, maxDuration)
	case s.timeout <= 0 || s.connTo <= 0 || s.every < 0 || s.maxWorkers == 0:
		return s, errors.New("--timeout, --connection-life and --max-workers must be above 0, --every not below it")
	case s.carts && s.body != "":
		return s, errors.New("--carts and --body exclude each other")
	}
	return s, nil
}

func (s settings) bodies() ([][]byte, error) {
	if s.carts {
		return carts(cartCount), nil
	}
	if name, ok := strings.CutPrefix(s.body, "@"); ok {
		b, err := os.ReadFile(name)
		return [][]byte{b}, err
	}
	return [][]byte{[]byte(s.body)}, nil
}

func (s settings) targeter() (vegeta.Targeter, error) {
	bodies, err := s.bodies()
	if err != nil {
		return nil, fmt.Errorf("--body: %w", err)
	}
	method, header := s.method, http.Header{}
	if len(bodies[0]) > 0 {
		header.Set("Content-Type", "application/json")
		if method == "" {
			method = http.MethodPost
		}
	}
	if method == "" {
		method = http.MethodGet
	}
	return func(t *vegeta.Target) error {
		t.Method, t.Header = method, header
		t.URL = s.targets[rand.IntN(len(s.targets))]
		t.Body = bodies[rand.IntN(len(bodies))]
		return nil
	}, nil
}

func run(args []string) error {
	s, err := readSettings(args)
	if err != nil {
		return err
	}
	targeter, err := s.targeter()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	client := &http.Client{
		Transport: newRotation(s.connTo, s.timeout),
		Timeout:   s.timeout,
		// A redirect is an answer like any other: what is measured is the target.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// vegeta.Client must come first: options after it would replace its transport.
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.MaxWorkers(s.maxWorkers), vegeta.MaxBody(0))
	// Thousandths of a request per second, so that rates below one are possible.
	pacer := vegeta.Rate{Freq: int(s.rate * 1000), Per: 1000 * time.Second}
	results := attacker.Attack(targeter, pacer, s.duration, "load")

	var tick <-chan time.Time
	if s.every > 0 {
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	total, recent := newTally(), newTally()
	done := ctx.Done()
	for {
		select {
		case r, ok := <-results:
			if !ok {
				total.summary(true).print(os.Stdout, s.json)
				return nil
			}
			total.add(r)
			recent.add(r)
		case <-tick:
			recent.summary(false).print(os.Stdout, s.json)
			recent = newTally()
		case <-done:
			// Stop makes vegeta close the channel once the requests in flight are answered.
			attacker.Stop()
			done = nil
		}
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

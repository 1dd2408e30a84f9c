package service

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// size is a number of bytes written as Go's runtime writes it: 512KiB, 64MiB, 1GiB, or plain bytes.
type size int64

func (s size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func (s *size) Set(text string) error {
	digits, unit := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > maxSize/unit {
		return fmt.Errorf("size %q: write a whole number up to 64GiB with KiB, MiB, GiB or no unit", text)
	}
	*s = size(n * unit)
	return nil
}

const maxSize = 64 << 30

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

type settings struct {
	listen, pprofListen, adminListen string
	expvar, allRuntimeMetrics        bool
	liveHeap, offHeap                size
	leak, leakLimit, extraAlloc      size
	slowAfter, slowBy                time.Duration
	drain                            time.Duration
}

// readSettings takes flags first, then the environment (--live-heap is CHECKOUT_LIVE_HEAP), then defaults.
// The defaults are chosen so that Go's collector takes a share of the CPU that is worth tuning; README.md has figures.
func readSettings(args []string) (settings, error) {
	s := settings{liveHeap: 64 << 20, leakLimit: 1 << 30, extraAlloc: 64 << 10}
	f := flag.NewFlagSet("checkout", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8080", "address of the API, /healthz, /readyz and /metrics")
	f.StringVar(&s.pprofListen, "pprof-listen", ":6060", "address of net/http/pprof, empty for none")
	f.StringVar(&s.adminListen, "admin-listen", ":9090", "address of /control, empty for none")
	f.BoolVar(&s.expvar, "expvar", false, "serve /debug/vars beside pprof")
	f.BoolVar(&s.allRuntimeMetrics, "all-runtime-metrics", false, "export all of runtime/metrics, not only Go's default set")
	f.Var(&s.liveHeap, "live-heap", "heap that stays live, full of pointers; filled before the service is ready")
	f.Var(&s.offHeap, "off-heap", "memory mapped and touched outside the Go heap, invisible to GOMEMLIMIT")
	f.Var(&s.leak, "leak", "heap bytes kept for ever by each checkout")
	f.Var(&s.leakLimit, "leak-limit", "total at which --leak stops")
	f.Var(&s.extraAlloc, "extra-alloc", "short-lived bytes each checkout allocates beyond its own work")
	f.DurationVar(&s.slowAfter, "slow-after", 0, "time after readiness from which --slow-by holds; 0 is from the start")
	f.DurationVar(&s.slowBy, "slow-by", 0, "delay added to each checkout from --slow-after on, at most 30s")
	f.DurationVar(&s.drain, "drain", 3*time.Second, "time to go on serving after SIGTERM while endpoints are withdrawn")

	var bad error
	f.VisitAll(func(v *flag.Flag) {
		name := "CHECKOUT_" + strings.ToUpper(strings.ReplaceAll(v.Name, "-", "_"))
		if text, ok := os.LookupEnv(name); ok && bad == nil {
			if err := f.Set(v.Name, text); err != nil {
				bad = fmt.Errorf("environment %s=%q: %w", name, text, err)
			}
		}
	})
	if bad != nil {
		return s, bad
	}
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q: this program takes flags only", f.Arg(0))
	}
	if err := checkDelay(s.slowBy); err != nil {
		return s, fmt.Errorf("--slow-by: %w", err)
	}
	return s, nil
}

const maxDelay = 30 * time.Second

func checkDelay(d time.Duration) error {
	if d < 0 || d > maxDelay {
		return fmt.Errorf("delay %s is outside 0s to %s", d, maxDelay)
	}
	return nil
}

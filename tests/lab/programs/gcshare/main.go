// Gcshare prints how much CPU time of a profile is collection's, and of that sweeping's in the background, and how many samples
// collection and all are, as JSON.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/google/pprof/profile"
)

const sweeping = "runtime.bgsweep"

var collection = map[string]bool{"runtime.gcBgMarkWorker": true, "runtime.gcAssistAlloc": true, sweeping: true}

// within is the function of the stack that collects; empty where there is none.
func within(s *profile.Sample) string {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil && collection[line.Function.Name] {
				return line.Function.Name
			}
		}
	}
	return ""
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gcshare PROFILE")
	}
	f, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	p, err := profile.Parse(f)
	if err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	var all, gc, swept int64
	for _, s := range p.Sample {
		all += s.Value[0]
		switch within(s) {
		case "":
			continue
		case sweeping:
			swept += s.Value[0]
		}
		gc += s.Value[0]
	}
	if all == 0 {
		log.Fatalf("%s: no samples; the program was idle", os.Args[1])
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"gcSeconds": float64(gc) * float64(p.Period) / 1e9, "sweepSeconds": float64(swept) * float64(p.Period) / 1e9,
		"gcSamples": float64(gc), "samples": float64(all),
	})
}

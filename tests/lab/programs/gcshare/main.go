// Gcshare prints how much CPU time of a profile is collection's, and how many samples that and all are, as JSON.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/google/pprof/profile"
)

var collection = map[string]bool{
	"runtime.gcBgMarkWorker": true, "runtime.gcAssistAlloc": true, "runtime.bgsweep": true,
}

func collects(s *profile.Sample) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil && collection[line.Function.Name] {
				return true
			}
		}
	}
	return false
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
	var all, gc int64
	for _, s := range p.Sample {
		all += s.Value[0]
		if collects(s) {
			gc += s.Value[0]
		}
	}
	if all == 0 {
		log.Fatalf("%s: no samples; the program was idle", os.Args[1])
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"gcSeconds": float64(gc) * float64(p.Period) / 1e9, "gcSamples": float64(gc), "samples": float64(all),
	})
}

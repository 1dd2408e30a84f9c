// Load sends requests to one of the lab's programs at a rate, whatever the answers do (open loop), until its standard input
// ends. It is told on standard input, a line each, and answers on standard output, a line each:
//
//	window 7s     "began", and after 7 s the figures of the requests that were to be sent in that time, as JSON
//	rate 900      requests per second from now on
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

var programs = map[string]func(address string) (request, error){
	"caddy": caddy, "checkout": checkout, "coredns": coredns, "etcd": etcd, "nats": nats, "sqlite": sqlite, "tsdb": tsdb,
}

const maxRate = 50000

func readRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || rate <= 0 || rate > maxRate {
		return 0, fmt.Errorf("rate %q: write a number above 0 and up to %d", text, maxRate)
	}
	return rate, nil
}

func obey(e *engine, line string) error {
	word, argument, _ := strings.Cut(line, " ")
	switch word {
	case "window":
		d, err := time.ParseDuration(argument)
		if err != nil || d <= 0 || d > time.Hour {
			return fmt.Errorf("window %q: write a time up to 1h", argument)
		}
		// The rate may change meanwhile.
		go func() { _ = json.NewEncoder(os.Stdout).Encode(e.measure(d, func() { fmt.Println("began") })) }()
		return nil
	case "rate":
		rate, err := readRate(argument)
		if err == nil {
			e.setRate(rate)
		}
		return err
	}
	return fmt.Errorf("%q: there are window and rate", line)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	program := flag.String("program", "", "what runs at the target; it decides what is sent")
	target := flag.String("target", "", "address of the program, 127.0.0.1:8080")
	rateText := flag.String("rate", "", "requests per second")
	flag.Parse()
	rate, err := readRate(*rateText)
	if err != nil {
		log.Fatal("--", err)
	}
	prepare := programs[*program]
	if prepare == nil {
		names := []string{}
		for name := range programs {
			names = append(names, name)
		}
		slices.Sort(names)
		log.Fatalf("--program %q: there are %s", *program, strings.Join(names, ", "))
	}
	send, err := prepare(*target)
	if err != nil {
		log.Fatalf("--target %q: %v", *target, err)
	}
	e := newEngine(send, rate)
	go e.run()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := obey(e, lines.Text()); err != nil {
			log.Fatal(err)
		}
	}
}

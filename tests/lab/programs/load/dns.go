package main

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// coredns asks over UDP: mostly for addresses all over the zone, sometimes for aliases, texts, and names that do not exist.
func coredns(address string) (request, error) {
	connections := make([]*dns.Conn, workers)
	for i := range connections {
		c, err := dns.Dial("udp", address)
		if err != nil {
			return nil, err
		}
		connections[i] = c
	}
	return func(ctx context.Context, worker int, n uint64) error {
		host := n * 7919 % hosts
		name, kind, code := fmt.Sprintf("host-%d", host), dns.TypeA, dns.RcodeSuccess
		switch n % 10 {
		case 0, 1:
			kind = dns.TypeAAAA
		case 2:
			name = fmt.Sprintf("alias-%d", host/4*4)
		case 3:
			name, code = fmt.Sprintf("nobody-%d", host), dns.RcodeNameError
		}
		q := new(dns.Msg).SetQuestion(name+".lab.example.", kind)
		c := connections[worker]
		deadline, _ := ctx.Deadline()
		if err := c.SetDeadline(deadline); err != nil {
			return err
		}
		if err := c.WriteMsg(q); err != nil {
			return err
		}
		for {
			answer, err := c.ReadMsg()
			switch {
			case err != nil:
				return err
			case answer.Id != q.Id: // the answer to a question that timed out
				if time.Now().After(deadline) {
					return context.DeadlineExceeded
				}
			case answer.Rcode != code:
				return fmt.Errorf("%s: %s", q.Question[0].Name, dns.RcodeToString[answer.Rcode])
			default:
				return nil
			}
		}
	}, nil
}

const hosts = 20000

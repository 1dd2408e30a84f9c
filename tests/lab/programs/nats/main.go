// Nats is nats-server with a JetStream stream in memory.
package main

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"lab/common"
)

const (
	subjects = 10000
	messages = 30000 // kept; older ones are dropped
)

func main() {
	common.Start()
	host, portText, err := net.SplitHostPort(common.Setting("LAB_LISTEN"))
	common.Check("LAB_LISTEN", err)
	port, err := strconv.Atoi(portText)
	common.Check("LAB_LISTEN", err)
	s, err := server.NewServer(&server.Options{
		Host: host, Port: port, JetStream: true, JetStreamMaxMemory: 256 << 20, StoreDir: common.Setting("LAB_DIR"), NoSigs: true,
	})
	common.Check("server", err)
	s.ConfigureLogger()
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		common.Check("server", fmt.Errorf("not ready after 10 s"))
	}
	c, err := nats.Connect("", nats.InProcessServer(s))
	common.Check("connect", err)
	js, err := c.JetStream(nats.PublishAsyncMaxPending(1000))
	common.Check("JetStream", err)
	_, err = js.AddStream(&nats.StreamConfig{
		Name: "orders", Subjects: []string{"orders.*"}, Storage: nats.MemoryStorage, MaxMsgs: messages, AllowDirect: true,
	})
	common.Check("stream", err)
	payload := make([]byte, 512)
	for i := range messages {
		_, err := js.PublishAsync(fmt.Sprintf("orders.%d", i%subjects), payload)
		common.Check("fill", err)
	}
	<-js.PublishAsyncComplete()
	common.CountRequests(func() float64 {
		if v, err := s.Varz(nil); err == nil {
			return float64(v.InMsgs)
		}
		return 0
	})
	go probe(js)
	common.Ready()
	s.WaitForShutdown()
}

// probe times a read now and then: nats-server keeps no latencies, and the tuners want some.
func probe(js nats.JetStreamContext) {
	for i := 0; ; i++ {
		start := time.Now()
		if _, err := js.GetLastMsg("orders", fmt.Sprintf("orders.%d", i%subjects), nats.DirectGet()); err == nil {
			common.Observe(time.Since(start))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Etcd is an etcd server within the process, asked through a small HTTP API.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver"

	"lab/common"
)

const (
	keys      = 20000
	valueSize = 1024
	page      = 20
)

type service struct{ server *etcdserver.EtcdServer }

func key(n int) []byte { return fmt.Appendf(nil, "/registry/pods/ns-%02d/pod-%05d", n%50, n) }

func value(n int) []byte {
	text := make([]byte, valueSize)
	for i := range text {
		text[i] = byte('a' + (n+i*7)%26)
	}
	return text
}

func (s service) put(ctx context.Context, n int) error {
	_, err := s.server.Put(ctx, &pb.PutRequest{Key: key(n), Value: value(n)})
	return err
}

func number(q *http.Request) int {
	n, _ := strconv.Atoi(q.URL.Query().Get("n"))
	return max(0, n) % keys
}

func (s service) write(w http.ResponseWriter, q *http.Request) {
	if err := s.put(q.Context(), number(q)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s service) list(w http.ResponseWriter, q *http.Request) {
	answer, err := s.server.Range(q.Context(), &pb.RangeRequest{Key: key(number(q)), RangeEnd: []byte("/registry/pods0"), Limit: page})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(answer.Kvs) // a reader that went away is its own trouble
}

func timed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		start := time.Now()
		h(w, q)
		common.Observe(time.Since(start))
	}
}

func start() *embed.Etcd {
	config := embed.NewConfig()
	config.Dir = common.Setting("LAB_DIR")
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // the lab measures the heap, not the disk
	// Nobody comes by these; the names have to be there.
	local := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Host: name}} }
	config.ListenClientUrls, config.AdvertiseClientUrls = local("client.sock:1"), local("client.sock:1")
	config.ListenPeerUrls, config.AdvertisePeerUrls = local("peer.sock:2"), local("peer.sock:2")
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	common.Check("etcd", err)
	<-etcd.Server.ReadyNotify()
	return etcd
}

func main() {
	common.Start()
	s := service{start().Server}
	for n := range keys {
		common.Check("fill", s.put(context.Background(), n))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /put", timed(s.write))
	mux.HandleFunc("GET /range", timed(s.list))
	common.Ready()
	log.Fatal((&http.Server{Addr: common.Setting("LAB_LISTEN"), Handler: mux, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}

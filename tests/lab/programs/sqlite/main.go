// Sqlite is SQLite, which is C, in memory behind a small HTTP API: most of what the process holds is not Go's.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"lab/common"
)

const (
	rows   = 40000
	page   = 50
	cached = 2000 // answers that are kept, of about 12 KiB
)

type product struct {
	ID    int64    `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

type service struct {
	list  *sql.Stmt
	mu    sync.Mutex
	cache [cached][]product
	next  int
}

func (s *service) answer(w http.ResponseWriter, q *http.Request) {
	first, _ := strconv.Atoi(q.URL.Query().Get("n"))
	found, err := s.list.QueryContext(q.Context(), max(0, first)%rows, page)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer found.Close()
	products := make([]product, 0, page)
	for found.Next() {
		var p product
		var tags string
		if err := found.Scan(&p.ID, &p.Name, &p.Price, &tags); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		p.Tags = strings.Split(tags, ",")
		products = append(products, p)
	}
	s.mu.Lock()
	s.cache[s.next%cached] = products
	s.next++
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(products) // a reader that went away is its own trouble
}

func fill(db *sql.DB) {
	_, err := db.Exec("create table products (id integer primary key, name text, price real, tags text)")
	common.Check("table", err)
	all, err := db.Begin()
	common.Check("fill", err)
	for n := range rows {
		_, err := all.Exec("insert into products values (?, ?, ?, ?)", n, fmt.Sprintf("product %d of the catalogue", n), float64(n)/7,
			fmt.Sprintf("shelf-%d,season-%d,origin-%d", n%90, n%4, n%30))
		common.Check("fill", err)
	}
	common.Check("fill", all.Commit())
}

func main() {
	common.Start()
	db, err := sql.Open("sqlite3", "file:lab?mode=memory&cache=shared")
	common.Check("sqlite", err)
	fill(db)
	list, err := db.Prepare("select id, name, price, tags from products where id >= ? order by id limit ?")
	common.Check("statement", err)
	s := &service{list: list}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", func(w http.ResponseWriter, q *http.Request) {
		start := time.Now()
		s.answer(w, q)
		common.Observe(time.Since(start))
	})
	common.Ready()
	log.Fatal((&http.Server{Addr: common.Setting("LAB_LISTEN"), Handler: mux, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}

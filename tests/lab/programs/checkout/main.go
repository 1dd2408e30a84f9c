// Checkout is the project's own test service with the lab's tuners in it.
package main

import (
	"log"
	"net/http"
	"time"

	"checkout/service"
	"lab/common"
)

func main() {
	common.Start()
	listen := common.Setting("LAB_LISTEN")
	go func() {
		for {
			if answer, err := http.Get("http://" + listen + "/readyz"); err == nil {
				answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					common.Ready()
					return
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	arguments := []string{"--listen", listen, "--pprof-listen", "", "--admin-listen", "", "--drain", "0s", "--live-heap", "48MiB"}
	log.Fatal(service.Run(arguments, common.Observe))
}

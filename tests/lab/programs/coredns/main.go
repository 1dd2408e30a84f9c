// CoreDNS serves a large zone with its file and cache plugins.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/rewrite"
	"github.com/miekg/dns"

	"lab/common"
)

const names = 20000

func writeZone(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "$ORIGIN lab.example.\n$TTL 300\n@ IN SOA ns.lab.example. admin.lab.example. 1 7200 3600 1209600 60\n@ IN NS ns\nns IN A 127.0.0.1")
	for i := range names {
		fmt.Fprintf(w, "host-%d IN A 10.%d.%d.%d\nhost-%d IN AAAA fd00::%x\n", i, i>>16, i>>8&255, i&255, i, i)
		if i%4 == 0 {
			fmt.Fprintf(w, "alias-%d IN CNAME host-%d\nhost-%d IN TXT \"owner=team-%d\"\n", i, i, i, i%97)
		}
	}
	return w.Flush()
}

// observer times each query.
type observer struct{ next plugin.Handler }

func (observer) Name() string { return "observe" }

func (o observer) ServeDNS(ctx context.Context, w dns.ResponseWriter, q *dns.Msg) (int, error) {
	start := time.Now()
	code, err := plugin.NextOrFailure(o.Name(), o.next, ctx, w, q)
	common.Observe(time.Since(start))
	return code, err
}

func main() {
	dnsserver.Directives = append([]string{"observe"}, dnsserver.Directives...)
	plugin.Register("observe", func(c *caddy.Controller) error {
		c.Next()
		dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler { return observer{next} })
		c.OnStartup(func() error {
			go common.Ready()
			return nil
		})
		return nil
	})
	common.Start()

	dir := common.Setting("LAB_DIR")
	zone, corefile := filepath.Join(dir, "zone"), filepath.Join(dir, "Corefile")
	common.Check("zone", writeZone(zone))
	host, port, err := net.SplitHostPort(common.Setting("LAB_LISTEN"))
	common.Check("LAB_LISTEN", err)
	common.Check("Corefile", os.WriteFile(corefile, fmt.Appendf(nil, `lab.example:%s {
	bind %s
	observe
	errors
	cache 30 {
		success 5000
	}
	loadbalance
	file %s {
		reload 0
	}
}
`, port, host, zone), 0o644))
	common.Check("flags", flag.Set("conf", corefile))
	coremain.Run()
}

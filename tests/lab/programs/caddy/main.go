// Caddy hosts a few hundred small sites whose pages are rendered from templates.
package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"lab/common"
)

const sites = 400

const page = `{{- $n := .Req.URL.Query.Get "n" | default "30" | int -}}
{"host": "{{ .Host }}", "articles": [
{{- range $i, $one := until (int $n) }}
{{- if $i }},{{ end }}
{{- $article := dict "sku" (printf "sku-%d" (add 100000 $i)) "name" (printf "article %d" $i | title) "cents" (add 199 (mul $i 17)) "tags" (list (printf "line-%d" (mod $i 40)) (printf "supplier-%d" (mod $i 90))) }}
{{ toJson $article }}
{{- end }}
], "count": {{ $n }}}
`

// Observer times each request.
type Observer struct{}

// CaddyModule tells Caddy the module's name.
func (Observer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.observe", New: func() caddy.Module { return new(Observer) }}
}

func (Observer) ServeHTTP(w http.ResponseWriter, q *http.Request, next caddyhttp.Handler) error {
	start := time.Now()
	err := next.ServeHTTP(w, q)
	common.Observe(time.Since(start))
	return err
}

func caddyfile(address, root string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n\tstorage file_system %s\n\tmetrics\n\torder observe first\n\tlog {\n\t\tlevel WARN\n\t}\n}\n", root)
	_, port, _ := strings.Cut(address, ":")
	for i := range sites {
		fmt.Fprintf(&text, `http://site-%d.example:%s {
	bind 127.0.0.1
	observe
	header X-Site site-%d
	@blocked path_regexp blocked ^/(admin|internal|site-%d)/.*$
	respond @blocked 403
	redir /old/* https://site-%d.example/new 301
	root %s
	templates {
		mime application/json
	}
	file_server
}
`, i, port, i, i, i, root)
	}
	return text.String()
}

func main() {
	common.Start()
	caddy.RegisterModule(Observer{})
	httpcaddyfile.RegisterHandlerDirective("observe", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return Observer{}, nil
	})
	root := common.Setting("LAB_DIR")
	common.Check("page", os.WriteFile(filepath.Join(root, "list.json"), []byte(page), 0o644))
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(
		[]byte(caddyfile(common.Setting("LAB_LISTEN"), root)), map[string]any{"filename": "Caddyfile"})
	common.Check("Caddyfile", err)
	common.Check("caddy", caddy.Load(config, true))
	common.Ready()
	select {}
}

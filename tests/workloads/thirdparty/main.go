// Caddy as its makers build it: the command and the standard modules. It stands for services that were not written for gopacer.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }

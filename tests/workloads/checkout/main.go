// Checkout is a test service of the kind people run; package service has it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"checkout/service"
)

func main() {
	if err := service.Run(os.Args[1:], nil); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "checkout:", err)
		os.Exit(1)
	}
}

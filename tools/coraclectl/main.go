// Command coraclectl is the operator's CLI: it flashes machines, configures them, and shows how they are doing, over
// the machine API.
//
//	coraclectl init                  make a key for me, and a first machine config
//	coraclectl flash IMAGE DISK      write a disk
//	coraclectl discover              find machines on this network
//	coraclectl apply -f FILE         configure a machine
//	coraclectl status                see how machines are doing
//
// docs/coraclectl.md has every command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/coracle-os/coracle/tools/coraclectl/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Run(ctx, os.Args[1:], command.System())
	stop()
	os.Exit(code)
}

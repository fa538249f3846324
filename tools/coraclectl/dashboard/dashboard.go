// Package dashboard is a terminal UI that shows how several machines are doing, live.
package dashboard

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	tea "charm.land/bubbletea/v2"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
)

// Machine is one that is shown.
type Machine struct {
	Name    string
	Address string
	Client  machinepbconnect.MachineServiceClient
}

// Run shows the machines until the user quits or ctx ends. Options are of the terminal, for tests.
func Run(ctx context.Context, machines []Machine, color bool, options ...tea.ProgramOption) error {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	program := tea.NewProgram(newModel(ctx, machines, color), append(options, tea.WithContext(ctx))...)
	for i, m := range machines {
		watchers.Go(func() { watch(ctx, m, func(s *machinepb.Status, err error) { program.Send(statusMsg{i, s, err}) }) })
	}
	_, err := program.Run()
	return err
}

// pause before a machine that does not answer is asked again.
const pause = 3 * time.Second

// watch tells every change of a machine's status, and what keeps it from being known, until ctx ends.
func watch(ctx context.Context, m Machine, tell func(*machinepb.Status, error)) {
	for {
		stream, err := m.Client.WatchStatus(ctx, connect.NewRequest(&machinepb.WatchStatusRequest{}))
		if err == nil {
			for stream.Receive() {
				tell(stream.Msg().Status, nil)
			}
			err = stream.Err()
			stream.Close()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			tell(nil, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// maxLines is how many lines of a log are kept.
const maxLines = 1000

// follow sends the lines of a machine's log until ctx ends or there are no more.
func follow(ctx context.Context, m Machine, service string, tell func([]string, error)) {
	stream, err := m.Client.GetLogs(ctx, connect.NewRequest(&machinepb.GetLogsRequest{Service: service, Follow: true, TailLines: 200}))
	if err == nil {
		defer stream.Close()
		for stream.Receive() {
			tell(slices.Collect(strings.Lines(string(stream.Msg().Data))), nil)
		}
		err = stream.Err()
	}
	if ctx.Err() == nil {
		tell(nil, err)
	}
}

package api

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
)

// ListProcesses lists the processes of the machine.
func (s service) ListProcesses(ctx context.Context, _ *connect.Request[machinepb.ListProcessesRequest]) (*connect.Response[machinepb.ListProcessesResponse], error) {
	p, err := s.processes(rank[callerOf(ctx).role] >= rank[types.Operator])
	return connect.NewResponse(p), err
}

func (s service) processes(withArgs bool) (*machinepb.ListProcessesResponse, error) {
	list, err := s.Backend.System.Processes(withArgs)
	if err != nil {
		return nil, err
	}
	m, _ := s.Backend.Store.Get()
	answer := &machinepb.ListProcessesResponse{}
	for _, p := range list {
		one := &machinepb.Process{
			Pid: int32(p.PID), Ppid: int32(p.PPID), State: p.State, Threads: int32(p.Threads), CpuTime: durationpb.New(p.CPU),
			VirtualBytes: p.Virtual, ResidentBytes: p.Resident, Command: p.Command, Args: p.Args, Cgroup: p.Cgroup,
		}
		if !m.Started.IsZero() {
			one.Started = timestamp(m.Started.Add(p.Started))
		}
		answer.Processes = append(answer.Processes, one)
	}
	return answer, nil
}

// GetMemory gives /proc/meminfo and the memory of each cgroup.
func (s service) GetMemory(context.Context, *connect.Request[machinepb.GetMemoryRequest]) (*connect.Response[machinepb.GetMemoryResponse], error) {
	info, err := s.Backend.System.Meminfo()
	if err != nil {
		return nil, err
	}
	cgroups, err := s.Backend.System.Cgroups()
	if err != nil {
		return nil, err
	}
	answer := &machinepb.GetMemoryResponse{Meminfo: info}
	for _, c := range cgroups {
		answer.Cgroups = append(answer.Cgroups, &machinepb.CgroupMemory{Path: c.Path, CurrentBytes: c.Current, AnonymousBytes: c.Anonymous, FileBytes: c.File, OomKills: c.OOMKills})
	}
	return connect.NewResponse(answer), nil
}

// ListMounts lists what is mounted.
func (s service) ListMounts(context.Context, *connect.Request[machinepb.ListMountsRequest]) (*connect.Response[machinepb.ListMountsResponse], error) {
	list, err := s.Backend.System.Mounts()
	if err != nil {
		return nil, err
	}
	answer := &machinepb.ListMountsResponse{}
	for _, m := range list {
		answer.Mounts = append(answer.Mounts, &machinepb.Mount{
			Source: m.Source, Target: m.Target, Type: m.Type, Options: m.Options, TotalBytes: m.Total, AvailableBytes: m.Available,
		})
	}
	return connect.NewResponse(answer), nil
}

// ListDisks lists disks with their partitions.
func (s service) ListDisks(context.Context, *connect.Request[machinepb.ListDisksRequest]) (*connect.Response[machinepb.ListDisksResponse], error) {
	mounts, err := s.Backend.System.Mounts()
	if err != nil {
		return nil, err
	}
	disks, err := s.Backend.System.Disks(mounts, s.Backend.Disk)
	if err != nil {
		return nil, err
	}
	answer := &machinepb.ListDisksResponse{}
	for _, d := range disks {
		one := &machinepb.Disk{
			Name: d.Name, Path: "/dev/" + d.Name, SizeBytes: d.Size, Model: d.Model, Serial: d.Serial, Transport: d.Transport,
			Removable: d.Removable, ReadOnly: d.ReadOnly, Rotational: d.Rotatable, Boot: d.Boot,
		}
		for _, p := range d.Partitions {
			one.Partitions = append(one.Partitions, &machinepb.Partition{Name: p.Name, Label: p.Label, SizeBytes: p.Size, MountedAt: p.MountedAt})
		}
		answer.Disks = append(answer.Disks, one)
	}
	return connect.NewResponse(answer), nil
}

// GetNetwork lists interfaces, addresses, routes and nameservers.
func (s service) GetNetwork(context.Context, *connect.Request[machinepb.GetNetworkRequest]) (*connect.Response[machinepb.GetNetworkResponse], error) {
	n, err := s.Backend.System.Network()
	if err != nil {
		return nil, err
	}
	leases := map[string]string{}
	if s.Backend.Leases != nil {
		leases = s.Backend.Leases()
	}
	m, _ := s.Backend.Store.Get()
	return connect.NewResponse(toNetwork(n, leases, m.Name)), nil
}

func toNetwork(n inspect.Network, leases map[string]string, hostname string) *machinepb.GetNetworkResponse {
	answer := &machinepb.GetNetworkResponse{Nameservers: n.Nameservers, Search: n.Search, Hostname: hostname}
	for _, i := range n.Interfaces {
		answer.Interfaces = append(answer.Interfaces, &machinepb.Interface{
			Name: i.Name, Kind: i.Kind, Mac: i.MAC, Driver: i.Driver, Up: i.Up, Carrier: i.Carrier, Mtu: uint32(i.MTU), Addresses: i.Addresses,
			ReceivedBytes: i.Received, SentBytes: i.Sent, ReceiveErrors: i.ReceiveErrors, SendErrors: i.SendErrors, Lease: text(leases[i.Name]),
		})
	}
	for _, r := range n.Routes {
		answer.Routes = append(answer.Routes, &machinepb.Route{
			Destination: r.Destination, Gateway: r.Gateway, Interface: r.Interface, Metric: uint32(r.Metric), Source: r.Source, Protocol: r.Protocol,
		})
	}
	return answer
}

// ListConnections lists sockets of the machine.
func (s service) ListConnections(_ context.Context, r *connect.Request[machinepb.ListConnectionsRequest]) (*connect.Response[machinepb.ListConnectionsResponse], error) {
	list, err := s.Backend.System.Connections(r.Msg.Listening)
	if err != nil {
		return nil, err
	}
	answer := &machinepb.ListConnectionsResponse{}
	for _, c := range list {
		answer.Connections = append(answer.Connections, &machinepb.Connection{
			Protocol: c.Protocol, Local: c.Local.String(), Remote: c.Remote.String(), State: c.State, Pid: int32(c.PID), Command: c.Command,
		})
	}
	return connect.NewResponse(answer), nil
}

// GetTime gives the machine's clock and what it is set from.
func (s service) GetTime(context.Context, *connect.Request[machinepb.GetTimeRequest]) (*connect.Response[machinepb.GetTimeResponse], error) {
	m, _ := s.Backend.Store.Get()
	answer := &machinepb.GetTimeResponse{Now: timestamp(time.Now()), Status: toTimeStatus(m.Time)}
	if s.Backend.TimeServers != nil && !m.Time.Disabled {
		answer.Servers = s.Backend.TimeServers()
	}
	return connect.NewResponse(answer), nil
}

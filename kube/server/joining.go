package server

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/join"
	"github.com/coracle-os/coracle/kube/token"
)

// joining decides on what agents ask for that want to join.
func (s *Server) joining(after string) component.Component {
	return component.Component{Name: "joining", After: []string{after}, Run: func(ctx context.Context) error {
		return join.Run(ctx, s.Client, s.reserved())
	}}
}

// reserved is what no agent may be called or have as an address.
func (s *Server) reserved() join.Reserved {
	r := join.Reserved{Domains: []string{"svc", s.Settings.ClusterDomain}}
	r.Names, r.Addresses = s.pki.APIServerNames()
	for text := range strings.SplitSeq(s.Settings.PodCIDR+","+s.Settings.ServiceCIDR, ",") {
		if network, err := netip.ParsePrefix(text); err == nil {
			r.Networks = append(r.Networks, network)
		}
	}
	return r
}

// joinTokens are the cluster's tokens, for the control socket.
type joinTokens struct{ *Server }

func (s joinTokens) Create(ctx context.Context, n control.NewToken) (control.MadeToken, error) {
	client, err := kubernetes.NewForConfig(s.Client)
	if err != nil {
		return control.MadeToken{}, err
	}
	made, err := join.Create(ctx, client, token.Hash(s.pki.ClusterAuthority()), n, time.Now())
	made.Endpoint = s.pki.Endpoint()
	return made, err
}

func (s joinTokens) List(ctx context.Context) ([]control.JoinToken, error) {
	client, err := kubernetes.NewForConfig(s.Client)
	if err != nil {
		return nil, err
	}
	return join.List(ctx, client)
}

func (s joinTokens) Delete(ctx context.Context, id string) error {
	client, err := kubernetes.NewForConfig(s.Client)
	if err != nil {
		return err
	}
	return join.Delete(ctx, client, id)
}

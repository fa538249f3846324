package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kubernetes/pkg/util/taints"
	netutils "k8s.io/utils/net"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/flannel"
	"github.com/coracle-os/coracle/kube/token"
)

// Values that settings may have.
var (
	roles          = []string{control.Server, control.Agent}
	datastoreKinds = []string{"sqlite"}
	ephemeralKinds = []string{"events", "leases"}
	backends       = []string{flannel.VXLAN, flannel.HostGW, flannel.None}
)

// LoadSettings reads and checks the settings that machined has written.
func LoadSettings(path string) (control.Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return control.Settings{}, fmt.Errorf("read settings: %w", err)
	}
	s, err := parseSettings(data)
	if err != nil {
		return s, fmt.Errorf("settings %s: %w", path, err)
	}
	return s, nil
}

func parseSettings(data []byte) (control.Settings, error) {
	var s control.Settings
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields() // machined and kube are of one build; anything else is a mistake
	if err := decoder.Decode(&s); err != nil {
		return s, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("there is more after the JSON object")
	}
	return s, validate(s)
}

// problems are the settings that cannot be used, so that one look is enough.
type problems []error

func (p *problems) report(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
}

func (p *problems) oneOf(field, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		p.report(field, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func validate(s control.Settings) error {
	var p problems
	p.oneOf("role", s.Role, roles)
	for _, problem := range validation.IsDNS1123Subdomain(s.NodeName) {
		p.report("nodeName", "%q: %s", s.NodeName, problem)
	}
	if len(s.NodeIPs) == 0 {
		p.report("nodeIPs", "at least one address is needed")
	}
	for _, address := range s.NodeIPs {
		if net.ParseIP(address) == nil {
			p.report("nodeIPs", "%q is not an IP address", address)
		}
	}
	if s.Endpoint != "" && control.HostPort(s.Endpoint) != s.Endpoint {
		p.report("endpoint", "%q is not host:port", s.Endpoint)
	}
	if s.Role == control.Agent {
		p.agent(s)
	} else {
		p.server(s)
	}
	if a := s.MachineAPI; a != (control.MachineAPI{}) && (a.Port < 1 || a.Port > 65535 || a.Fingerprint == "") {
		p.report("machineAPI", "port %d and fingerprint %q are not both good", a.Port, a.Fingerprint)
	}
	if _, _, err := taints.ParseTaints(s.NodeTaints); err != nil {
		p.report("nodeTaints", "%v", err)
	}
	for key, value := range s.NodeLabels {
		for _, problem := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...) {
			p.report("nodeLabels", "%s=%s: %s", key, value, problem)
		}
	}
	p = append(p, checkExtraArgs(s.ExtraArgs)...)
	if s.ShutdownSeconds < 0 {
		p.report("shutdownSeconds", "%d is negative", s.ShutdownSeconds)
	}
	return errors.Join(p...)
}

// agent checks what only an agent has. What it shares with its cluster it does not know yet.
func (p *problems) agent(s control.Settings) {
	if s.Endpoint == "" {
		p.report("endpoint", "an agent needs to know where the servers are")
	}
	if _, err := token.Parse(s.Token); err != nil {
		p.report("token", "%v", err)
	}
}

// server checks what only a server has.
func (p *problems) server(s control.Settings) {
	if s.APIPort < 1 || s.APIPort > 65535 {
		p.report("apiPort", "%d is not a port", s.APIPort)
	}
	p.cluster(s.Cluster())
	p.oneOf("datastore.kind", s.Datastore.Kind, datastoreKinds)
	for _, kind := range s.Datastore.Ephemeral {
		p.oneOf("datastore.ephemeral", kind, ephemeralKinds)
	}
	names := map[string]bool{}
	for i, m := range s.Manifests {
		for _, problem := range validation.IsDNS1123Subdomain(m.Name) {
			p.report(fmt.Sprintf("manifests[%d].name", i), "%q: %s", m.Name, problem)
		}
		if names[m.Name] {
			p.report(fmt.Sprintf("manifests[%d].name", i), "%q is in the list already", m.Name)
		}
		names[m.Name] = true
	}
}

// ValidateCluster is what is wrong with what a server says of its cluster.
func ValidateCluster(c control.Cluster) error {
	var p problems
	p.cluster(c)
	return errors.Join(p...)
}

func (p *problems) cluster(c control.Cluster) {
	pods, podsErr := netutils.ParseCIDRs(strings.Split(c.PodCIDR, ","))
	if podsErr != nil || !families(pods) {
		p.report("podCIDR", "%q is not a network such as 10.42.0.0/16, or one of each family with a comma", c.PodCIDR)
	}
	services, servicesErr := netutils.ParseCIDRs(strings.Split(c.ServiceCIDR, ","))
	if servicesErr != nil || !families(services) {
		p.report("serviceCIDR", "%q is not a network such as 10.43.0.0/16, or one of each family with a comma", c.ServiceCIDR)
	}
	if podsErr == nil && servicesErr == nil && len(pods) != len(services) {
		p.report("serviceCIDR", "%s is not of the address families of podCIDR %s", c.ServiceCIDR, c.PodCIDR)
	}
	for _, a := range pods {
		for _, b := range services {
			if a.Contains(b.IP) || b.Contains(a.IP) {
				p.report("serviceCIDR", "%s overlaps podCIDR %s", b, a)
			}
		}
	}
	dns := net.ParseIP(c.ClusterDNS)
	if !slices.ContainsFunc(services, func(n *net.IPNet) bool { return n.Contains(dns) }) {
		p.report("clusterDNS", "%q is not an address in serviceCIDR", c.ClusterDNS)
	}
	for _, problem := range validation.IsDNS1123Subdomain(c.ClusterDomain) {
		p.report("clusterDomain", "%q: %s", c.ClusterDomain, problem)
	}
	p.oneOf("flannel.backend", c.FlannelBackend, backends)
}

// families is whether there is one network, or an IPv4 and an IPv6 network in this order.
func families(networks []*net.IPNet) bool {
	switch len(networks) {
	case 1:
		return true
	case 2:
		return !netutils.IsIPv6CIDR(networks[0]) && netutils.IsIPv6CIDR(networks[1])
	}
	return false
}

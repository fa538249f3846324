package server

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
)

// Values that settings may have.
var (
	roles          = []string{"server"}
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

// validate names every setting that cannot be used, so that one look is enough.
func validate(s control.Settings) error {
	var problems []error
	report := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	oneOf := func(field, value string, allowed []string) {
		if !slices.Contains(allowed, value) {
			report(field, "%q is not one of %s", value, strings.Join(allowed, ", "))
		}
	}

	oneOf("role", s.Role, roles)
	for _, problem := range validation.IsDNS1123Subdomain(s.NodeName) {
		report("nodeName", "%q: %s", s.NodeName, problem)
	}
	if len(s.NodeIPs) == 0 {
		report("nodeIPs", "at least one address is needed")
	}
	for _, address := range s.NodeIPs {
		if net.ParseIP(address) == nil {
			report("nodeIPs", "%q is not an IP address", address)
		}
	}
	if s.Endpoint != "" && control.HostPort(s.Endpoint) != s.Endpoint {
		report("endpoint", "%q is not host:port", s.Endpoint)
	}
	if s.APIPort < 1 || s.APIPort > 65535 {
		report("apiPort", "%d is not a port", s.APIPort)
	}
	pods, podsErr := netutils.ParseCIDRs(strings.Split(s.PodCIDR, ","))
	if podsErr != nil || !families(pods) {
		report("podCIDR", "%q is not a network such as 10.42.0.0/16, or one of each family with a comma", s.PodCIDR)
	}
	services, servicesErr := netutils.ParseCIDRs(strings.Split(s.ServiceCIDR, ","))
	if servicesErr != nil || !families(services) {
		report("serviceCIDR", "%q is not a network such as 10.43.0.0/16, or one of each family with a comma", s.ServiceCIDR)
	}
	if podsErr == nil && servicesErr == nil && len(pods) != len(services) {
		report("serviceCIDR", "%s is not of the address families of podCIDR %s", s.ServiceCIDR, s.PodCIDR)
	}
	for _, p := range pods {
		for _, q := range services {
			if p.Contains(q.IP) || q.Contains(p.IP) {
				report("serviceCIDR", "%s overlaps podCIDR %s", q, p)
			}
		}
	}
	dns := net.ParseIP(s.ClusterDNS)
	if !slices.ContainsFunc(services, func(n *net.IPNet) bool { return n.Contains(dns) }) {
		report("clusterDNS", "%q is not an address in serviceCIDR", s.ClusterDNS)
	}
	for _, problem := range validation.IsDNS1123Subdomain(s.ClusterDomain) {
		report("clusterDomain", "%q: %s", s.ClusterDomain, problem)
	}
	oneOf("datastore.kind", s.Datastore.Kind, datastoreKinds)
	for _, kind := range s.Datastore.Ephemeral {
		oneOf("datastore.ephemeral", kind, ephemeralKinds)
	}
	oneOf("flannel.backend", s.Flannel.Backend, backends)
	if a := s.MachineAPI; a != (control.MachineAPI{}) && (a.Port < 1 || a.Port > 65535 || a.Fingerprint == "") {
		report("machineAPI", "port %d and fingerprint %q are not both good", a.Port, a.Fingerprint)
	}
	if _, _, err := taints.ParseTaints(s.NodeTaints); err != nil {
		report("nodeTaints", "%v", err)
	}
	for key, value := range s.NodeLabels {
		for _, problem := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...) {
			report("nodeLabels", "%s=%s: %s", key, value, problem)
		}
	}
	names := map[string]bool{}
	for i, m := range s.Manifests {
		for _, problem := range validation.IsDNS1123Subdomain(m.Name) {
			report(fmt.Sprintf("manifests[%d].name", i), "%q: %s", m.Name, problem)
		}
		if names[m.Name] {
			report(fmt.Sprintf("manifests[%d].name", i), "%q is in the list already", m.Name)
		}
		names[m.Name] = true
	}
	problems = append(problems, checkExtraArgs(s.ExtraArgs)...)
	if s.ShutdownSeconds < 0 {
		report("shutdownSeconds", "%d is negative", s.ShutdownSeconds)
	}
	return errors.Join(problems...)
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

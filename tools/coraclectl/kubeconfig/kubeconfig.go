// Package kubeconfig puts a machine's kubeconfig among those that an operator has. Files are edited as YAML, so that
// whatever else is in them stays as it is.
package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"

	"go.yaml.in/yaml/v3"
)

// certificateName is in the certificate of every apiserver of Coracle, which not every address is that leads to it: one
// behind NAT, or the host that a port of a VM is forwarded to.
const certificateName = "kubernetes"

// Rename makes of a machine's kubeconfig one whose cluster, user and context are called name, and whose server is at
// host; its port stays. An empty host leaves the server as it is.
func Rename(kubeconfig []byte, name, host string) ([]byte, error) {
	root, err := parse(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("the machine's kubeconfig: %w", err)
	}
	context, err := only(root, "contexts")
	if err != nil {
		return nil, err
	}
	cluster, err := only(root, "clusters")
	if err != nil {
		return nil, err
	}
	user, err := only(root, "users")
	if err != nil {
		return nil, err
	}
	server := get(get(cluster, "cluster"), "server")
	if server == nil {
		return nil, errors.New("the machine's kubeconfig has no server")
	}
	at, err := url.Parse(server.Value)
	if err != nil || at.Host == "" {
		return nil, fmt.Errorf("the machine's kubeconfig has the server %q, which is no URL", server.Value)
	}
	if host == "" {
		host = at.Hostname()
	}
	if at.Hostname() != host {
		set(get(cluster, "cluster"), "tls-server-name", text(certificateName))
	}
	if port := at.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	} else if net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		host = "[" + host + "]"
	}
	at.Host = host
	server.SetString(at.String())
	for _, entry := range []*yaml.Node{cluster, user, context} {
		set(entry, "name", text(name))
	}
	inner := get(context, "context")
	if inner == nil || inner.Kind != yaml.MappingNode {
		return nil, errors.New("the machine's kubeconfig has a context without content")
	}
	set(inner, "cluster", text(name))
	set(inner, "user", text(name))
	set(root, "current-context", text(name))
	return encode(root)
}

// Merge puts the clusters, users and contexts of from into the kubeconfig file into, which may be empty, and replaces
// those of the same names. The current context becomes that of from if there is none, or if use is set.
func Merge(into, from []byte, use bool) ([]byte, error) {
	source, err := parse(from)
	if err != nil {
		return nil, err
	}
	target, err := parse(into)
	if err != nil {
		return nil, err
	}
	for _, field := range []struct{ name, value string }{{"apiVersion", "v1"}, {"kind", "Config"}} {
		if get(target, field.name) == nil {
			set(target, field.name, text(field.value))
		}
	}
	for _, list := range []string{"clusters", "users", "contexts"} {
		if err := mergeList(target, source, list); err != nil {
			return nil, err
		}
	}
	current := get(target, "current-context")
	if wanted := get(source, "current-context"); wanted != nil && (use || current == nil || current.Value == "") {
		set(target, "current-context", text(wanted.Value))
	}
	return encode(target)
}

func mergeList(target, source *yaml.Node, name string) error {
	from := get(source, name)
	if from == nil || from.Kind != yaml.SequenceNode {
		return nil
	}
	into := get(target, name)
	if into == nil || into.Kind == yaml.ScalarNode && into.Tag == "!!null" {
		into = &yaml.Node{Kind: yaml.SequenceNode}
		set(target, name, into)
	}
	if into.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s is not a list", into.Line, name)
	}
	into.Style = 0 // kubectl writes [] where there is none; what is added is no one-liner
	for _, entry := range from.Content {
		place := -1
		for i, have := range into.Content {
			if value := get(have, "name"); value != nil && value.Value == get(entry, "name").Value {
				place = i
			}
		}
		if place < 0 {
			into.Content = append(into.Content, entry)
		} else {
			into.Content[place] = entry
		}
	}
	return nil
}

// parse reads one document, whose root is a mapping; nothing gives an empty one.
func parse(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		if len(doc.Content) == 1 && doc.Content[0].Tag == "!!null" {
			return &yaml.Node{Kind: yaml.MappingNode, HeadComment: doc.HeadComment, FootComment: doc.FootComment}, nil
		}
		return nil, errors.New("it is not a kubeconfig: not a mapping of fields")
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has several YAML documents, of which kubectl would read only the first")
	}
	return doc.Content[0], nil
}

func encode(root *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// only is the one entry of a list.
func only(root *yaml.Node, list string) (*yaml.Node, error) {
	n := get(root, list)
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("the machine's kubeconfig does not have exactly one of its %s", list)
	}
	return n.Content[0], nil
}

// get is the value of a key, or nil.
func get(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func set(mapping *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, text(key), value)
}

// text is a string, quoted where YAML would take it for something else.
func text(s string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(s)
	return n
}

package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

func checkManifests(k *checker) {
	names := map[string]int{}
	for i, m := range k.Cluster.Manifests {
		at := fmt.Sprintf("cluster.manifests[%d]", i)
		first, seen := names[m.Name]
		switch {
		case m.Name == "":
			k.fail(at+".name", "is missing; write a name for this set of objects")
		case seen:
			k.fail(at+".name", "%q is the name of cluster.manifests[%d] too", m.Name, first)
		default:
			names[m.Name] = i
			// It is the value of a label too.
			k.want(len(m.Name) <= 63 && subdomain.MatchString(m.Name), at+".name", m.Name, "a name: lower-case letters, digits, - and ., at most 63, first and last a letter or digit")
		}
		switch {
		case m.Content == "" && m.URL == "":
			k.fail(at, "has no objects; write content or url")
		case m.Content != "" && m.URL != "":
			k.fail(at+".url", "is set besides content; write either")
		case m.Content != "":
			if err := checkObjects(m.Content); err != nil {
				k.fail(at+".content", "%v", err)
			}
		default:
			checkManifestURL(k, at, m.URL, m.SHA256)
		}
		if m.SHA256 != "" {
			digest, err := hex.DecodeString(m.SHA256)
			k.want(err == nil && len(digest) == 32, at+".sha256", m.SHA256, "a SHA-256 digest, 64 hex digits")
			if m.URL == "" {
				k.fail(at+".sha256", "is for a url, which is not set")
			}
		}
	}
}

func checkManifestURL(k *checker, at, text, digest string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHostPort(strings.ToLower(u.Host)):
		k.fail(at+".url", "%q is not an address such as https://example.com/objects.yaml", redactedURL(text))
	case u.Scheme == "http" && digest == "":
		k.fail(at+".url", "anybody on the way could change what http:// brings; take https://, or write sha256")
	case u.Fragment != "":
		k.fail(at+".url", "has #%s in it, which no server sees", u.Fragment)
	}
}

// checkObjects checks YAML documents with objects of Kubernetes, as far as that can be done without Kubernetes.
func checkObjects(text string) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	objects, budget := 0, maxObjects
	for number := 1; ; number++ {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("document %d is not valid YAML: %w", number, err)
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue // comments only
		}
		if err := checkObject(doc.Content[0], &budget); err != nil {
			return fmt.Errorf("document %d %w", number, err)
		}
		objects++
	}
	if objects == 0 {
		return errors.New("has no objects in it")
	}
	return nil
}

// maxObjects bounds the work: aliases could make lists of lists endless.
const maxObjects = 10_000

var errTooMany = fmt.Errorf("has more than %d objects", maxObjects)

func checkObject(n *yaml.Node, budget *int) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if *budget--; *budget < 0 {
		return errTooMany
	}
	if n.Kind != yaml.MappingNode {
		return errors.New("is not an object of Kubernetes, which has apiVersion, kind and metadata")
	}
	apiVersion, kind := child(n, "apiVersion"), child(n, "kind")
	switch {
	case apiVersion == nil || apiVersion.Value == "":
		return errors.New("has no apiVersion")
	case kind == nil || kind.Value == "":
		return errors.New("has no kind")
	case kind.Value == "List":
		items := child(n, "items")
		if items == nil || items.Kind != yaml.SequenceNode {
			return errors.New("is a List without items")
		}
		for i, item := range items.Content {
			if err := checkObject(item, budget); errors.Is(err, errTooMany) {
				return err
			} else if err != nil {
				return fmt.Errorf("has an item %d that %w", i+1, err)
			}
		}
		return nil
	}
	metadata := child(n, "metadata")
	if metadata == nil || metadata.Kind != yaml.MappingNode || child(metadata, "name") == nil || child(metadata, "name").Value == "" {
		return fmt.Errorf("(%s) has no metadata.name", kind.Value)
	}
	return nil
}

// child is the value of a key of a mapping; nil: it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := n.Content[i+1]; n.Content[i].Value == key && value.Kind == yaml.AliasNode {
			return value.Alias
		} else if n.Content[i].Value == key {
			return value
		}
	}
	return nil
}

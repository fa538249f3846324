package config

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// maxTree is how many nodes a document may have once its aliases are written out.
const maxTree = 100_000

// encode writes a document with its comments. Where they do not survive that (yaml.v3 misplaces some, above all in lists and
// groups between braces), it is written without them: what it says is never another thing.
func encode(doc *yaml.Node) ([]byte, error) {
	for _, simplify := range []func(*yaml.Node){
		func(*yaml.Node) {},
		func(n *yaml.Node) { n.HeadComment, n.LineComment, n.FootComment = "", "", "" },
		func(n *yaml.Node) { n.Style = 0 },
	} {
		each(doc, simplify)
		var text bytes.Buffer
		e := yaml.NewEncoder(&text)
		e.SetIndent(2)
		if err := e.Encode(doc); err != nil {
			continue
		}
		again, err := strict.Parse("", text.Bytes())
		if err == nil && same(doc, again) {
			return text.Bytes(), nil
		}
	}
	return nil, errors.New("the machine config holds something that cannot be written as YAML")
}

// each calls f for a node and all that are in it.
func each(n *yaml.Node, f func(*yaml.Node)) {
	f(n)
	for _, child := range n.Content {
		each(child, f)
	}
}

// same is whether two trees say the same.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// expand copies a tree, with aliases written out and without anchors. file is the name that a problem carries.
func expand(file string, n *yaml.Node) (*yaml.Node, error) {
	left := maxTree
	var expanded func(n *yaml.Node) *yaml.Node
	expanded = func(n *yaml.Node) *yaml.Node {
		if left--; left < 0 {
			return n
		}
		fresh := *n
		if n.Kind == yaml.AliasNode {
			fresh = *n.Alias
			fresh.HeadComment, fresh.LineComment, fresh.FootComment = n.HeadComment, n.LineComment, n.FootComment
		}
		content := fresh.Content
		fresh.Anchor, fresh.Content = "", make([]*yaml.Node, len(content))
		for i, child := range content {
			fresh.Content[i] = expanded(child)
		}
		return &fresh
	}
	tree := expanded(n)
	if left < 0 {
		return nil, strict.Problems{{File: file, Message: fmt.Sprintf("the document has more than %d values", maxTree)}}
	}
	return tree, nil
}

package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Patch merges patch into the config current, as a merge patch (RFC 7386) in YAML: a group is merged field by field, null
// takes a field away, and anything else, a list too, replaces what was there. Comments of current and the order of its fields
// stay. The result may be no valid config: see [Parse]. An error of type [strict.Problems] has the lines of the patch.
func Patch(current, patch []byte) ([]byte, error) {
	change, err := tree("patch", patch)
	if err != nil {
		return nil, err
	}
	doc, err := tree("machine config", current)
	if err != nil {
		return nil, fmt.Errorf("the config to be patched cannot be read:\n%w", err)
	}
	merge(doc.Content[0], change.Content[0])
	return encode(doc)
}

// tree reads a document whose content is a group of fields. One of nothing but comments is an empty group.
func tree(file string, text []byte) (*yaml.Node, error) {
	if len(text) > MaxSize {
		return nil, strict.Problems{{File: file, Message: fmt.Sprintf("is larger than %d bytes", MaxSize)}}
	}
	// Comments would keep the first half of a Windows line end.
	doc, err := strict.Parse(file, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	if err != nil && len(bytes.TrimSpace(text)) == 0 {
		return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{group()}}, nil
	}
	if err != nil {
		return nil, err
	}
	if doc, err = expand(file, doc); err != nil {
		return nil, err
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, strict.Problems{{File: file, Line: root.Line, Message: "should be fields with values (name: value)"}}
	}
	var problems strict.Problems
	each(root, func(n *yaml.Node) { problems = append(problems, keyProblems(file, n)...) })
	if len(problems) > 0 {
		return nil, problems.First(strict.MaxProblems)
	}
	return doc, nil
}

// keyProblems finds keys of a mapping by which a patch could not find a field.
func keyProblems(file string, n *yaml.Node) (problems strict.Problems) {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		fail := func(format string, args ...any) {
			problems = append(problems, strict.Problem{File: file, Line: key.Line, Column: key.Column, Message: fmt.Sprintf(format, args...)})
		}
		switch line, seen := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			fail("a field's name is not a word")
		case key.ShortTag() == "!!merge":
			fail("merge keys (<<) are not supported; write the fields out")
		case seen:
			fail("%s is set twice; first in line %d", key.Value, line)
		default:
			first[key.Value] = key.Line
		}
	}
	return problems
}

func group() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// merge is MergePatch of RFC 7386, section 2, for two mappings.
func merge(target, patch *yaml.Node) {
	for i := 0; i+1 < len(patch.Content); i += 2 {
		key, value := patch.Content[i], patch.Content[i+1]
		at := indexOf(target, key.Value)
		switch {
		case isNull(value):
			if at >= 0 {
				target.Content = append(target.Content[:at], target.Content[at+2:]...)
			}
		case value.Kind == yaml.MappingNode:
			if at < 0 {
				fresh := group()
				fresh.Style = value.Style
				target.Content = append(target.Content, key, fresh)
				at = len(target.Content) - 2
			}
			if target.Content[at+1].Kind != yaml.MappingNode {
				replace(target.Content[at+1], group())
			}
			merge(target.Content[at+1], value)
		case at >= 0:
			replace(target.Content[at+1], value)
		default:
			target.Content = append(target.Content, key, value)
		}
	}
}

// indexOf is the index of a key in a mapping's content; -1 when it is not there.
func indexOf(mapping *yaml.Node, key string) int {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// replace puts a value in the place of another, whose comments it gets unless it has its own.
func replace(old, fresh *yaml.Node) {
	head, line, foot := old.HeadComment, old.LineComment, old.FootComment
	*old = *fresh
	if fresh.HeadComment+fresh.LineComment+fresh.FootComment == "" {
		old.HeadComment, old.LineComment, old.FootComment = head, line, foot
	}
}

package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-os/coracle/kube/control"
)

// annotationSet notes on a node which of its labels and taints the settings have set, so that one that is taken out of them goes
// from the node too. Those that others have set stay.
const annotationSet = "coracle.dev/set-by-config"

// setByConfig is the content of the annotation.
type setByConfig struct {
	Labels []string `json:"labels,omitempty"` // keys
	Taints []string `json:"taints,omitempty"` // key:effect, which identify a taint
}

// metadataPatch is a JSON merge patch that makes a node have the labels and taints wanted, and no others that an earlier
// config has set; and the annotations, of which an empty one is taken off. It takes back the cordon of a drain. nil: it is so
// already.
func metadataPatch(node *corev1.Node, labels map[string]string, taints []corev1.Taint, annotations map[string]string) ([]byte, error) {
	var before setByConfig
	if text, found := node.Annotations[annotationSet]; found {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			before = setByConfig{} // somebody has edited it: what it had said stays on the node
		}
	}
	meta, spec, notes := map[string]any{}, map[string]any{}, map[string]any{}
	if change := labelChange(node.Labels, labels, before.Labels); len(change) > 0 {
		meta["labels"] = change
	}
	if list := taintsOf(node.Spec.Taints, taints, before.Taints); !slices.EqualFunc(list, node.Spec.Taints, sameTaint) {
		spec["taints"] = list
		// A list is replaced as a whole, and controllers add taints to it: it must be the one that was looked at.
		meta["resourceVersion"] = node.ResourceVersion
	}
	now := setByConfig{Labels: slices.Sorted(maps.Keys(labels))}
	for _, t := range taints {
		now.Taints = append(now.Taints, taintID(t))
	}
	text, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("annotation %s: %w", annotationSet, err)
	}
	if node.Annotations[annotationSet] != string(text) {
		notes[annotationSet] = string(text)
	}
	for key, value := range annotations {
		switch old, found := node.Annotations[key]; {
		case value == "" && found:
			notes[key] = nil
		case old != value:
			notes[key] = value
		}
	}
	if _, found := node.Annotations[control.AnnotationCordoned]; found {
		notes[control.AnnotationCordoned], spec["unschedulable"] = nil, nil
	}
	if len(notes) > 0 {
		meta["annotations"] = notes
	}
	if len(meta) == 0 {
		return nil, nil
	}
	patch := map[string]any{"metadata": meta}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	return json.Marshal(patch)
}

// labelChange are the labels to set; nil: to remove.
func labelChange(have, want map[string]string, before []string) map[string]any {
	change := map[string]any{}
	for key, value := range want {
		if old, found := have[key]; !found || old != value {
			change[key] = value
		}
	}
	for _, key := range before {
		_, wanted := want[key]
		if _, found := have[key]; found && !wanted {
			change[key] = nil
		}
	}
	return change
}

// taintsOf is the list of taints that a node is to have.
func taintsOf(have, want []corev1.Taint, before []string) []corev1.Taint {
	list := []corev1.Taint{}
	for _, t := range have {
		wanted := slices.IndexFunc(want, func(w corev1.Taint) bool { return taintID(w) == taintID(t) })
		switch {
		case wanted >= 0 && want[wanted].Value != t.Value:
			list = append(list, want[wanted])
		case wanted >= 0 || !slices.Contains(before, taintID(t)):
			list = append(list, t)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(list, func(t corev1.Taint) bool { return taintID(t) == taintID(w) }) {
			list = append(list, w)
		}
	}
	return list
}

func taintID(t corev1.Taint) string { return t.Key + ":" + string(t.Effect) }

func sameTaint(a, b corev1.Taint) bool { return taintID(a) == taintID(b) && a.Value == b.Value }

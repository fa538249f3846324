package node

import (
	"encoding/json"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-os/coracle/kube/control"
)

func TestMetadataPatch(t *testing.T) {
	taint := func(key, value string, effect corev1.TaintEffect) corev1.Taint {
		return corev1.Taint{Key: key, Value: value, Effect: effect}
	}
	none, role := map[string]string{}, map[string]string{"role": ""}
	for name, tc := range map[string]struct {
		labels map[string]string
		set    string // annotation; "": none
		taints []corev1.Taint
		want   map[string]string
		wanted []corev1.Taint
		has    map[string]string // further annotations
		notes  map[string]string // that it is to have
		patch  string
	}{
		"registered with all of it": {
			labels: map[string]string{"site": "a", "os": "linux"}, taints: []corev1.Taint{taint("edge", "", "NoSchedule")},
			want: map[string]string{"site": "a"}, wanted: []corev1.Taint{taint("edge", "", "NoSchedule")},
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{\"labels\":[\"site\"],\"taints\":[\"edge:NoSchedule\"]}"}}}`,
		},
		"nothing to do": {
			labels: map[string]string{"role": "", "other": "x"}, set: `{"labels":["role"]}`, taints: []corev1.Taint{taint("not-ready", "", "NoExecute")},
			want: role,
		},
		"nothing wanted, nothing set": {
			labels: none, want: none, set: `{}`,
		},
		"label changed, added and removed; others' stay": {
			labels: map[string]string{"site": "a", "old": "1", "theirs": "t"}, set: `{"labels":["old","site"]}`,
			want:  map[string]string{"site": "b", "new": "2"},
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{\"labels\":[\"new\",\"site\"]}"},"labels":{"new":"2","old":null,"site":"b"}}}`,
		},
		"label removed by hand before": {
			labels: none, set: `{"labels":["old"]}`, want: none,
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{}"}}}`,
		},
		"set again after somebody removed it": {
			labels: none, set: `{"labels":["role"]}`, want: role,
			patch: `{"metadata":{"labels":{"role":""}}}`,
		},
		"taint added; the controllers' stays": {
			set: `{}`, taints: []corev1.Taint{taint("not-ready", "", "NoExecute")}, wanted: []corev1.Taint{taint("edge", "x", "NoSchedule")},
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{\"taints\":[\"edge:NoSchedule\"]}"},"resourceVersion":"7"},` +
				`"spec":{"taints":[{"effect":"NoExecute","key":"not-ready"},{"effect":"NoSchedule","key":"edge","value":"x"}]}}`,
		},
		"taint with another value and another effect": {
			set: `{"taints":["edge:NoSchedule"]}`, taints: []corev1.Taint{taint("edge", "x", "NoSchedule"), taint("edge", "x", "NoExecute")},
			wanted: []corev1.Taint{taint("edge", "y", "NoSchedule")},
			patch: `{"metadata":{"resourceVersion":"7"},` +
				`"spec":{"taints":[{"effect":"NoSchedule","key":"edge","value":"y"},{"effect":"NoExecute","key":"edge","value":"x"}]}}`,
		},
		"last taint removed": {
			set: `{"taints":["edge:NoSchedule"]}`, taints: []corev1.Taint{taint("edge", "", "NoSchedule")},
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{}"},"resourceVersion":"7"},"spec":{"taints":[]}}`,
		},
		"annotation edited": {
			labels: map[string]string{"old": "1"}, set: `{"labels":`, want: none,
			patch: `{"metadata":{"annotations":{"coracle.dev/set-by-config":"{}"}}}`,
		},
		"where the machine API is": {
			set: `{}`, notes: map[string]string{"port": "50000"},
			patch: `{"metadata":{"annotations":{"port":"50000"}}}`,
		},
		"it is there already": {
			set: `{}`, has: map[string]string{"port": "50000"}, notes: map[string]string{"port": "50000", "key": ""},
		},
		"it is no longer known": {
			set: `{}`, has: map[string]string{"port": "50000"}, notes: map[string]string{"port": "", "key": ""},
			patch: `{"metadata":{"annotations":{"port":null}}}`,
		},
		"cordoned for a drain": {
			set: `{}`, has: map[string]string{"coracle.dev/cordoned-by": "machine"},
			patch: `{"metadata":{"annotations":{"coracle.dev/cordoned-by":null}},"spec":{"unschedulable":null}}`,
		},
		"cordoned for a drain, and a new taint": {
			set: `{"taints":["edge:NoSchedule"]}`, has: map[string]string{"coracle.dev/cordoned-by": "machine"}, wanted: []corev1.Taint{taint("edge", "", "NoSchedule")},
			patch: `{"metadata":{"annotations":{"coracle.dev/cordoned-by":null},"resourceVersion":"7"},` +
				`"spec":{"taints":[{"effect":"NoSchedule","key":"edge"}],"unschedulable":null}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7", Labels: tc.labels}, Spec: corev1.NodeSpec{Taints: tc.taints}}
			if tc.set != "" {
				node.Annotations = map[string]string{annotationSet: tc.set}
				maps.Copy(node.Annotations, tc.has)
			}
			patch, err := metadataPatch(node, tc.want, tc.wanted, tc.notes)
			if err != nil {
				t.Fatal(err)
			}
			if got := sorted(t, patch); got != sorted(t, []byte(tc.patch)) {
				t.Errorf("got  %s\nwant %s", got, tc.patch)
			}
		})
	}
}

// sorted brings the keys of a JSON object in order.
func sorted(t *testing.T, text []byte) string {
	t.Helper()
	if len(text) == 0 {
		return ""
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

func TestMachineAPI(t *testing.T) {
	for name, tc := range map[string]struct {
		api       control.MachineAPI
		port, key string
	}{
		"known":          {control.MachineAPI{Port: 50001, Fingerprint: "SHA256:abc"}, "50001", "SHA256:abc"},
		"not told":       {control.MachineAPI{}, "", ""},
		"without a key":  {control.MachineAPI{Port: 50001}, "", ""},
		"without a port": {control.MachineAPI{Fingerprint: "SHA256:abc"}, "", ""},
	} {
		notes := machineAPI(tc.api)
		if len(notes) != 2 || notes[control.AnnotationAPIPort] != tc.port || notes[control.AnnotationFingerprint] != tc.key {
			t.Errorf("%s: %v", name, notes)
		}
	}
}

package process

import (
	"errors"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/control"
)

func TestCheckExtraArgs(t *testing.T) {
	for name, tc := range map[string]struct {
		extra control.ExtraArgs
		want  string // in the error; "": none
	}{
		"none": {nil, ""},
		"good": {control.ExtraArgs{
			"kube-apiserver":          {"event-ttl": "2h", "feature-gates": "AllAlpha=false", "enable-admission-plugins": "PodNodeSelector"},
			"kube-controller-manager": {"node-monitor-grace-period": "60s", "controllers": "-ttl-after-finished-controller"},
			"kube-scheduler":          {"kube-api-qps": "100"},
			"kubelet":                 {"max-pods": "40", "system-reserved": "memory=50Mi"},
			"kube-proxy":              {"nodeport-addresses": "192.0.2.0/24"},
		}, ""},
		"unknown component": {control.ExtraArgs{"kube-boss": {"x": "y"}}, "kube-boss: there is no such component"},
		"unknown flag":      {control.ExtraArgs{"kubelet": {"max-podz": "40"}}, "kubelet: there is no flag --max-podz"},
		"owned flag":        {control.ExtraArgs{"kubelet": {"root-dir": "/"}}, "--root-dir is set by Coracle"},
		"wrong value":       {control.ExtraArgs{"kubelet": {"max-pods": "many"}}, `"many" for "--max-pods"`},
		"wrong duration":    {control.ExtraArgs{"kube-apiserver": {"event-ttl": "soon"}}, "--event-ttl"},
		"unknown gate":      {control.ExtraArgs{"kube-apiserver": {"feature-gates": "TimeTravel=true"}}, "TimeTravel"},
		"all at once":       {control.ExtraArgs{"kubelet": {"max-pods": "many"}, "kube-scheduler": {"kube-api-qps": "fast"}}, "kube-api-qps"},
	} {
		t.Run(name, func(t *testing.T) {
			err := errors.Join(checkExtraArgs(tc.extra)...)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

package process

import (
	"log/slog"
	"strings"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
)

// SetFeatureGates turns on and off what the cluster has turned on and off: A=true,B=false. One that this version does not know is
// left out: the servers may be of another.
func SetFeatureGates(gates string) {
	for gate := range strings.SplitSeq(gates, ",") {
		if gate == "" {
			continue
		}
		if err := utilfeature.DefaultMutableFeatureGate.Set(gate); err != nil {
			slog.Warn("a feature gate of the cluster is not known here", "gate", gate, "error", err)
		}
	}
}

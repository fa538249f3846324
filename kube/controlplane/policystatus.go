package controlplane

import (
	"context"
	"fmt"

	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/kubernetes/pkg/controller/validatingadmissionpolicystatus"
)

// policyStatusController is upstream's name of what RunPolicyStatus runs.
const policyStatusController = "validatingadmissionpolicy-status-controller"

// RunPolicyStatus runs the controller that checks the types in the expressions of ValidatingAdmissionPolicies, until ctx is
// cancelled. controller-manager's holds the OpenAPI definitions of all built-in types from its start on, 7 MiB. The same
// controller asks the apiserver for those of a policy here, when there is one.
func (c Config) RunPolicyStatus(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := validatingadmissionpolicystatus.NewController(
		factory.Admissionregistration().V1().ValidatingAdmissionPolicies(),
		client.AdmissionregistrationV1().ValidatingAdmissionPolicies(),
		&validating.TypeChecker{
			SchemaResolver: &resolver.ClientDiscoveryResolver{Discovery: client.Discovery()},
			RestMapper:     restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery())),
		},
	)
	if err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	controller.Run(ctx, 1)
	return nil
}

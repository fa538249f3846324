package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"
	systemclasses "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	"k8s.io/kubernetes/pkg/controller/servicecidrs"
	"k8s.io/kubernetes/pkg/controlplane"
	controlplaneapiserver "k8s.io/kubernetes/pkg/controlplane/apiserver"
	"k8s.io/kubernetes/pkg/controlplane/controller/defaultservicecidr"
)

// flowControlSeeds are the priority levels and flow schemas of API priority and fairness, with the status that the apiserver
// gives each flow schema.
func flowControlSeeds() []Seed {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: name, Generation: 1,
			Annotations: map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: "true"},
		}
	}
	var all []Seed
	for _, level := range slices.Concat(bootstrap.MandatoryPriorityLevelConfigurations, bootstrap.SuggestedPriorityLevelConfigurations) {
		all = append(all, Seed{"prioritylevelconfigurations", flowcontrolv1.SchemeGroupVersion, "PriorityLevelConfiguration",
			&flowcontrolv1.PriorityLevelConfiguration{ObjectMeta: meta(level.Name), Spec: *level.Spec.DeepCopy()},
		})
	}
	for _, flow := range slices.Concat(bootstrap.MandatoryFlowSchemas, bootstrap.SuggestedFlowSchemas) {
		level := flow.Spec.PriorityLevelConfiguration.Name
		all = append(all, Seed{"flowschemas", flowcontrolv1.SchemeGroupVersion, "FlowSchema", &flowcontrolv1.FlowSchema{
			ObjectMeta: meta(flow.Name), Spec: *flow.Spec.DeepCopy(),
			Status: flowcontrolv1.FlowSchemaStatus{Conditions: []flowcontrolv1.FlowSchemaCondition{{
				Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, LastTransitionTime: metav1.Now(), Reason: "Found",
				Message: fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", level),
			}}},
		}})
	}
	return all
}

// apiPriorities orders the groups of the API in discovery. Those of kube-apiserver's own groups are upstream's, of
// cmd/kube-apiserver/app/aggregator.go, which does not export them.
func apiPriorities() map[schema.GroupVersion]controlplaneapiserver.APIServicePriority {
	priorities := controlplaneapiserver.DefaultGenericAPIServicePriorities()
	maps.Copy(priorities, map[schema.GroupVersion]controlplaneapiserver.APIServicePriority{
		{Group: "apps", Version: "v1"}:              {Group: 17800, Version: 15},
		{Group: "autoscaling", Version: "v1"}:       {Group: 17500, Version: 15},
		{Group: "autoscaling", Version: "v2"}:       {Group: 17500, Version: 30},
		{Group: "batch", Version: "v1"}:             {Group: 17400, Version: 15},
		{Group: "networking.k8s.io", Version: "v1"}: {Group: 17200, Version: 15},
		{Group: "policy", Version: "v1"}:            {Group: 17100, Version: 15},
		{Group: "storage.k8s.io", Version: "v1"}:    {Group: 16800, Version: 15},
		{Group: "scheduling.k8s.io", Version: "v1"}: {Group: 16600, Version: 15},
		{Group: "node.k8s.io", Version: "v1"}:       {Group: 16300, Version: 15},
		{Group: "resource.k8s.io", Version: "v1"}:   {Group: 16200, Version: 21},
	})
	return priorities
}

// apiServiceSeeds are the registrations of the built-in APIs with the aggregator. The apiserver is not ready before all are there.
func apiServiceSeeds() []Seed {
	served := controlplane.DefaultAPIResourceConfigSource()
	served.EnableVersions(apiextensionsv1.SchemeGroupVersion)
	var all []Seed
	for version, priority := range apiPriorities() {
		if !served.GroupVersionConfigs[version] {
			continue
		}
		service := &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{
				Name:   version.Version + "." + version.Group,
				Labels: map[string]string{autoregister.AutoRegisterManagedLabel: "onstart"},
			},
			Spec: apiregistrationv1.APIServiceSpec{
				Group: version.Group, Version: version.Version, GroupPriorityMinimum: priority.Group, VersionPriority: priority.Version,
			},
		}
		helper.SetAPIServiceCondition(service, helper.NewLocalAvailableAPIServiceCondition())
		all = append(all, Seed{"apiregistration.k8s.io/apiservices", apiregistrationv1.SchemeGroupVersion, "APIService", service})
	}
	return all
}

func priorityClassSeeds() []Seed {
	var all []Seed
	for _, class := range systemclasses.SystemPriorityClasses() {
		class = class.DeepCopy()
		class.Generation = 1
		all = append(all, Seed{"priorityclasses", schedulingv1.SchemeGroupVersion, "PriorityClass", class})
	}
	return all
}

// serviceCIDRSeeds is the network of Services as controller-manager leaves it.
func serviceCIDRSeeds(cidrs string) []Seed {
	return []Seed{{"servicecidrs", networkingv1.SchemeGroupVersion, "ServiceCIDR", &networkingv1.ServiceCIDR{
		ObjectMeta: metav1.ObjectMeta{Name: defaultservicecidr.DefaultServiceCIDRName, Finalizers: []string{servicecidrs.ServiceCIDRProtectionFinalizer}},
		Spec:       networkingv1.ServiceCIDRSpec{CIDRs: strings.Split(cidrs, ",")},
		Status: networkingv1.ServiceCIDRStatus{Conditions: []metav1.Condition{{
			Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, LastTransitionTime: metav1.Now(),
			Message: "Kubernetes Service CIDR is ready",
		}}},
	}}}
}

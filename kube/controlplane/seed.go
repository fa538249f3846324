package controlplane

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
)

// Seed creates what every new cluster begins with: what the apiserver and controller-manager would create at their first start,
// 250 objects in all. They do it through the API and one after the other, and wait for each other; here it is done while the
// apiserver is still being built. Upstream's code then looks at each, finds it as it should be, and adds what is missing. The
// objects are upstream's, from the same functions where it has any; only the record of who manages which field is not there.
//
// create writes a value of the apiserver's storage format (kubernetes.io/docs/reference/using-api/api-concepts,
// "Kubernetes Protobuf encoding") at a key of etcd. more are created too, of kinds that are stored as protobuf.
func (c Config) Seed(create func(key string, value []byte) error, more ...Seed) error {
	all, err := c.seeds()
	if err != nil {
		return err
	}
	for _, s := range append(all, more...) {
		s.Object.SetUID(uuid.NewUUID())
		s.Object.SetCreationTimestamp(metav1.Now())
		s.Object.GetObjectKind().SetGroupVersionKind(s.Version.WithKind(s.Kind))
		key := path.Join("/registry", s.Resource, s.Object.GetNamespace(), s.Object.GetName())
		encoder := protobufEncoder
		if s.Version.Group == apiregistrationv1.GroupName {
			encoder = jsonEncoder // as the aggregator stores them
		}
		var value bytes.Buffer
		if err := encoder.Encode(s.Object, &value); err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		if err := create(key, value.Bytes()); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
	}
	return nil
}

// Seed is one object and what its key in the storage begins with.
type Seed struct {
	Resource string // "configmaps"; with the group's name before it only where the aggregator or a custom resource has it
	Version  schema.GroupVersion
	Kind     string
	Object   Object
}

// Object is a typed one, with metadata.
type Object interface {
	runtime.Object
	metav1.Object
}

// Encoders of versioned objects as they are.
var (
	protobufEncoder runtime.Encoder = protobuf.NewSerializer(nil, nil)
	jsonEncoder     runtime.Encoder = json.NewSerializerWithOptions(json.DefaultMetaFactory, nil, nil, json.SerializerOptions{})
)

func (c Config) seeds() ([]Seed, error) {
	ca, err := os.ReadFile(c.PKI.ClusterCA())
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA for pods: %w", err)
	}
	return slices.Concat(
		namespaceSeeds(string(ca)), roleSeeds(), flowControlSeeds(), apiServiceSeeds(), priorityClassSeeds(), serviceCIDRSeeds(c.Settings.ServiceCIDR),
	), nil
}

// namespaces are those of pkg/controlplane/controller/systemnamespaces, and the one that users begin in.
var namespaces = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

// namespaceSeeds are namespaces with what controller-manager gives each: an account, and the CA for its pods.
func namespaceSeeds(ca string) []Seed {
	var all []Seed
	for _, name := range namespaces {
		all = append(all, Seed{"namespaces", corev1.SchemeGroupVersion, "Namespace", &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		}}, serviceAccount(name, "default"), Seed{"configmaps", corev1.SchemeGroupVersion, "ConfigMap", &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: name, Name: rootcacertpublisher.RootCACertConfigMapName,
				Annotations: map[string]string{rootcacertpublisher.DescriptionAnnotation: rootcacertpublisher.Description},
			},
			Data: map[string]string{"ca.crt": ca},
		}})
	}
	return all
}

func serviceAccount(namespace, name string) Seed {
	return Seed{"serviceaccounts", corev1.SchemeGroupVersion, "ServiceAccount", &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}}
}

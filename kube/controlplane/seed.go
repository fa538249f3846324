package controlplane

import (
	"bytes"
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// Seed creates what every new cluster begins with: the namespaces, roles and bindings that the apiserver would create at its
// first start, and the service accounts that controller-manager would, 200 in all. They do it through the API and one after
// the other, and controller-manager has to wait until it may do anything; here it is done while the apiserver is still being
// built. Upstream's code then looks at each, finds it as it should be, and adds what is missing. The objects are upstream's,
// from the same functions where it has any; only the record of who manages which field is not there.
//
// create writes a value of the apiserver's storage format (kubernetes.io/docs/reference/using-api/api-concepts,
// "Kubernetes Protobuf encoding") at a key of etcd.
func Seed(create func(key string, value []byte) error) error {
	for _, s := range seeds() {
		s.object.SetUID(uuid.NewUUID())
		s.object.SetCreationTimestamp(metav1.Now())
		s.object.GetObjectKind().SetGroupVersionKind(s.version.WithKind(s.kind))
		key := path.Join("/registry", s.resource, s.object.GetNamespace(), s.object.GetName())
		var value bytes.Buffer
		if err := storageEncoder.Encode(s.object, &value); err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		if err := create(key, value.Bytes()); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
	}
	return nil
}

// seed is one object and what its key in the storage begins with.
type seed struct {
	resource string
	version  schema.GroupVersion
	kind     string
	object   interface {
		runtime.Object
		metav1.Object
	}
}

// storageEncoder writes versioned objects as they are.
var storageEncoder = protobuf.NewSerializer(nil, nil)

// namespaces are those of pkg/controlplane/controller/systemnamespaces, and the one that users begin in.
var namespaces = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

func seeds() []seed {
	var all []seed
	for _, name := range namespaces {
		all = append(all, seed{"namespaces", corev1.SchemeGroupVersion, "Namespace", &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		}}, serviceAccount(name, "default"))
	}
	for _, role := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		all = append(all, seed{"clusterroles", rbacv1.SchemeGroupVersion, "ClusterRole", &role})
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		all = append(all, seed{"clusterrolebindings", rbacv1.SchemeGroupVersion, "ClusterRoleBinding", &binding})
	}
	for _, roles := range bootstrappolicy.NamespaceRoles() {
		for _, role := range roles {
			all = append(all, seed{"roles", rbacv1.SchemeGroupVersion, "Role", &role})
		}
	}
	for _, bindings := range bootstrappolicy.NamespaceRoleBindings() {
		for _, binding := range bindings {
			all = append(all, seed{"rolebindings", rbacv1.SchemeGroupVersion, "RoleBinding", &binding})
		}
	}
	for _, name := range controllerAccounts() {
		all = append(all, serviceAccount(metav1.NamespaceSystem, name))
	}
	return all
}

func serviceAccount(namespace, name string) seed {
	return seed{"serviceaccounts", corev1.SchemeGroupVersion, "ServiceAccount", &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}}
}

// controllerAccounts are the service accounts that the controllers' roles are bound to, each once.
func controllerAccounts() []string {
	var names []string
	seen := map[string]bool{}
	for _, binding := range bootstrappolicy.ControllerRoleBindings() {
		for _, subject := range binding.Subjects {
			if subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == metav1.NamespaceSystem && !seen[subject.Name] {
				seen[subject.Name] = true
				names = append(names, subject.Name)
			}
		}
	}
	return names
}

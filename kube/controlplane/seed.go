package controlplane

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// Seed creates what every new cluster begins with: the roles and bindings that the apiserver would create at its first start,
// and the service accounts of controllers that controller-manager would, 250 in all. They do it through the API and one after
// the other, which is half of a first start on a small machine; here it is done while the apiserver is still being built.
// Upstream's code then looks at each, finds it as it should be, and adds what is missing. The objects are upstream's, from
// the same functions; only the record of who manages which field is not there.
//
// create writes a value of the apiserver's storage format (kubernetes.io/docs/reference/using-api/api-concepts,
// "Kubernetes Protobuf encoding") at a key of etcd.
func Seed(create func(key string, value []byte) error) error {
	put := func(key string, version schema.GroupVersion, kind string, object object) error {
		object.SetUID(uuid.NewUUID())
		object.SetCreationTimestamp(metav1.Now())
		object.GetObjectKind().SetGroupVersionKind(version.WithKind(kind))
		var value bytes.Buffer
		if err := storageEncoder.Encode(object, &value); err != nil {
			return fmt.Errorf("encode %s %s: %w", kind, object.GetName(), err)
		}
		if err := create(key+object.GetName(), value.Bytes()); err != nil {
			return fmt.Errorf("store %s %s: %w", kind, object.GetName(), err)
		}
		return nil
	}
	for _, role := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		if err := put("/registry/clusterroles/", rbacv1.SchemeGroupVersion, "ClusterRole", &role); err != nil {
			return err
		}
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		if err := put("/registry/clusterrolebindings/", rbacv1.SchemeGroupVersion, "ClusterRoleBinding", &binding); err != nil {
			return err
		}
	}
	for _, name := range controllerAccounts() {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem}}
		if err := put("/registry/serviceaccounts/"+metav1.NamespaceSystem+"/", corev1.SchemeGroupVersion, "ServiceAccount", account); err != nil {
			return err
		}
	}
	return nil
}

// object is a pointer to a type of Kubernetes' API.
type object interface {
	runtime.Object
	metav1.Object
}

// storageEncoder writes versioned objects as they are.
var storageEncoder = protobuf.NewSerializer(nil, nil)

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

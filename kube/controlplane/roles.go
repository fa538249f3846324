package controlplane

import (
	"errors"
	"log/slog"
	"os"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/version"
	rbac "k8s.io/kubernetes/pkg/registry/rbac/rest"
	scheduling "k8s.io/kubernetes/pkg/registry/scheduling/rest"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// reconcileAfter is when the roles are looked at in the background: the start is over by then.
const reconcileAfter = time.Minute

// Upstream's apiserver looks at each of its 140 roles and bindings, one after the other, and at its priority classes, which it does
// after a second, before it calls itself ready, and controller-manager waits for that. At most starts it finds what it left there the
// last time. So where they are known to be those of this version of Kubernetes, the same code runs later.

// laterHooks are those hooks of the apiserver.
var laterHooks = []string{rbac.PostStartHookName, scheduling.PostStartHookName}

// rolesCurrent reports whether the roles in the datastore are as this version of Kubernetes wants them, as far as Coracle
// knows; somebody may have changed them since.
func (c Config) rolesCurrent() bool {
	made, err := os.ReadFile(c.RolesFile)
	return c.Seeded() || err == nil && string(made) == version.Get().GitVersion
}

// reconcileRoles is a hook of the apiserver that restores its roles and priority classes in the background, and then notes that they
// are current.
func (c Config) reconcileRoles(hook genericapiserver.PostStartHookContext) error {
	policy := &rbac.PolicyData{
		ClusterRoles:               append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...),
		ClusterRoleBindings:        append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...),
		Roles:                      bootstrappolicy.NamespaceRoles(),
		RoleBindings:               bootstrappolicy.NamespaceRoleBindings(),
		ClusterRolesToAggregate:    bootstrappolicy.ClusterRolesToAggregate(),
		ClusterRoleBindingsToSplit: bootstrappolicy.ClusterRoleBindingsToSplit(),
	}
	go func() {
		select {
		case <-time.After(reconcileAfter):
		case <-hook.Done():
			return
		}
		err := errors.Join(policy.EnsureRBACPolicy()(hook), scheduling.AddSystemPriorityClasses()(hook))
		if err == nil {
			err = atomicfile.Write(c.RolesFile, []byte(version.Get().GitVersion), 0o600)
		}
		if err != nil {
			// The file stays, without a version: that it is there says that the cluster has lived.
			err = errors.Join(err, atomicfile.Write(c.RolesFile, nil, 0o600))
			slog.Error("cannot look whether all roles are as they should be; the next start does it first", "error", err)
		}
	}()
	return nil
}

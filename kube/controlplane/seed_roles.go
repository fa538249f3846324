package controlplane

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// roleSeeds are the roles and bindings of kube-apiserver and of the controllers, and the accounts that these are bound to.
func roleSeeds() []Seed {
	var all []Seed
	clusterRoles := append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...)
	aggregate(clusterRoles)
	for _, role := range clusterRoles {
		all = append(all, Seed{"clusterroles", rbacv1.SchemeGroupVersion, "ClusterRole", &role})
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		all = append(all, Seed{"clusterrolebindings", rbacv1.SchemeGroupVersion, "ClusterRoleBinding", &binding})
	}
	for _, roles := range bootstrappolicy.NamespaceRoles() {
		for _, role := range roles {
			all = append(all, Seed{"roles", rbacv1.SchemeGroupVersion, "Role", &role})
		}
	}
	for _, bindings := range bootstrappolicy.NamespaceRoleBindings() {
		for _, binding := range bindings {
			all = append(all, Seed{"rolebindings", rbacv1.SchemeGroupVersion, "RoleBinding", &binding})
		}
	}
	for _, name := range controllerAccounts() {
		all = append(all, serviceAccount(metav1.NamespaceSystem, name))
	}
	return all
}

// aggregate gives roles that are made of others, such as "admin", their rules: those of the selected roles in the order of their
// names, each once. controller-manager's clusterrole-aggregation-controller does the same. A role may be made of roles that are made
// of others.
func aggregate(roles []rbacv1.ClusterRole) {
	byName := make([]*rbacv1.ClusterRole, len(roles))
	for i := range roles {
		byName[i] = &roles[i]
	}
	slices.SortFunc(byName, func(a, b *rbacv1.ClusterRole) int { return strings.Compare(a.Name, b.Name) })
	for changed := true; changed; {
		changed = false
		for _, role := range byName {
			if rules := aggregatedRules(role, byName); role.AggregationRule != nil && !equality.Semantic.DeepEqual(rules, role.Rules) {
				role.Rules, changed = rules, true
			}
		}
	}
}

func aggregatedRules(role *rbacv1.ClusterRole, byName []*rbacv1.ClusterRole) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	if role.AggregationRule == nil {
		return nil
	}
	for _, s := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		if err != nil {
			continue // controller-manager reports it
		}
		for _, other := range byName {
			if other == role || !selector.Matches(labels.Set(other.Labels)) {
				continue
			}
			for _, rule := range other.Rules {
				if !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(r, rule) }) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules
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

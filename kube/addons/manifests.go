package addons

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/coracle-os/coracle/kube/control"
)

//go:embed manifests/*.yaml
var manifests embed.FS

type addon struct {
	name    string // of manifests/NAME.yaml, and the value of labelAddon
	enabled func(Config) bool
	seeded  bool // a new cluster begins with its objects, of which none starts a pod
}

// addons of this version. One that is taken off the list is removed from clusters that have it.
var addons = []addon{
	{name: "agents", enabled: func(c Config) bool { return c.Cluster != control.Cluster{} }, seeded: true}, // of every server
	{name: "coredns", enabled: func(c Config) bool { return c.CoreDNS.Enabled }},
	{name: "fleet", enabled: func(c Config) bool { return c.Fleet.Enabled }},
}

// kind of the objects that add-ons consist of, in the order in which they are applied: what others refer to is first.
// A kind must stay on the list as long as a version from which one can upgrade may have applied it.
type kind struct {
	schema.GroupVersionKind
	resource   string
	namespaced bool
}

// definitions are the kind of custom resource definitions. With one, all objects of what it defines are gone.
var definitions = kind{
	schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, "customresourcedefinitions", false,
}

var kinds = []kind{
	definitions,
	{schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, "serviceaccounts", true},
	{schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, "clusterroles", false},
	{schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"}, "clusterrolebindings", false},
	{schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"}, "roles", true},
	{schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}, "rolebindings", true},
	{schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "configmaps", true},
	{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "services", true},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, "deployments", true},
}

func (k kind) gvr() schema.GroupVersionResource { return k.GroupVersion().WithResource(k.resource) }

// key names an object in the cluster.
type key struct {
	kind      string
	namespace string
	name      string
}

func (k key) String() string {
	if k.namespace == "" {
		return k.kind + " " + k.name
	}
	return k.kind + " " + k.namespace + "/" + k.name
}

// values are what the templates may use.
type values struct {
	Config
	Image     string
	Resolvers []string
}

// JoinBinding is what lets them join.
func (values) JoinBinding() string { return strconv.Quote(control.JoinBinding) }

// JoinGroup is that of who has a join token.
func (values) JoinGroup() string { return strconv.Quote(control.JoinGroup) }

// ClusterConfigMap, ClusterKey and ClusterJSON are what agents are told of the cluster.
func (values) ClusterConfigMap() string { return control.ClusterConfigMap }
func (values) ClusterKey() string       { return control.ClusterKey }

func (v values) ClusterJSON() (string, error) {
	text, err := json.Marshal(v.Cluster)
	return strconv.Quote(string(text)), err
}

// render returns the objects of the add-ons that are turned on, labelled, and with the hash of their content.
func render(v values) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, a := range addons {
		if !a.enabled(v.Config) {
			continue
		}
		objects, err := a.render(v)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

func (a addon) render(v values) ([]*unstructured.Unstructured, error) {
	objects, err := renderFile("manifests/"+a.name+".yaml", v)
	if err != nil {
		return nil, fmt.Errorf("add-on %s: %w", a.name, err)
	}
	for _, o := range objects {
		if err := mark(o, a.name); err != nil {
			return nil, fmt.Errorf("add-on %s: %w", a.name, err)
		}
	}
	return objects, nil
}

func renderFile(path string, v values) ([]*unstructured.Unstructured, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"indent": indent}).ParseFS(manifests, path)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.ExecuteTemplate(&text, t.Templates()[0].Name(), v); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(&text, 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// indent puts text into a block of YAML that is indented by this many spaces.
func indent(spaces int, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line = strings.TrimRight(line, " \t\r"); line != "" {
			line = strings.Repeat(" ", spaces) + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// mark adds the label by which objects are found again, and the hash by which an unchanged one is known.
func mark(o *unstructured.Unstructured, addon string) error {
	labels := o.GetLabels()
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[labelAddon] = addon
	o.SetLabels(labels)
	content, err := json.Marshal(o.Object) // keys are sorted
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = make(map[string]string)
	}
	annotations[annotationHash] = hex.EncodeToString(sum[:8])
	o.SetAnnotations(annotations)
	return nil
}

func kindOf(o *unstructured.Unstructured) (kind, error) {
	for _, k := range kinds {
		if k.GroupVersionKind == o.GroupVersionKind() {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("%s %s: its kind is not in the table of kinds", o.GroupVersionKind(), o.GetName())
}

func keyOf(o *unstructured.Unstructured) key { return key{o.GetKind(), o.GetNamespace(), o.GetName()} }

package fleet

import (
	"fmt"
	"os"
	"strings"
	"testing"

	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	definitions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definition is the CRD that the add-on installs.
func definition(t *testing.T) *apiext.CustomResourceDefinition {
	t.Helper()
	text, err := os.ReadFile("../addons/manifests/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var v1 apiextv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &v1); err != nil {
		t.Fatal(err)
	}
	apiextv1.SetDefaults_CustomResourceDefinition(&v1)
	apiextv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
	d := &apiext.CustomResourceDefinition{}
	if err := apiextv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&v1, d, nil); err != nil {
		t.Fatal(err)
	}
	return d
}

// The API takes the definition: its schema is structural, and its rules cost no more than is allowed.
func TestDefinition(t *testing.T) {
	d := definition(t)
	d.Status.StoredVersions = []string{Resource.Version}
	if problems := definitions.ValidateCustomResourceDefinition(t.Context(), d); len(problems) > 0 {
		t.Error(problems.ToAggregate())
	}
	if d.Spec.Group != Resource.Group || d.Spec.Names.Plural != Resource.Resource || d.Spec.Names.Kind != kindUpgrade || d.Spec.Versions[0].Name != Resource.Version {
		t.Errorf("it defines %s.%s", d.Spec.Names.Plural, d.Spec.Group)
	}
}

// checker is what the API does with an Upgrade that somebody writes.
type checker struct {
	whole *structural.Structural
	types validation.SchemaValidator
	rules *cel.Validator
}

func newSchema(t *testing.T) checker {
	t.Helper()
	d := definition(t)
	props := d.Spec.Validation // with one version, the schema is here
	if props == nil {
		props = d.Spec.Versions[0].Schema
	}
	whole, err := structural.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	types, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return checker{whole, types, cel.NewValidator(whole, true, celconfig.PerCallLimit)}
}

// take defaults and checks an Upgrade, and returns what is kept of it.
func (s checker) take(t *testing.T, text string) (map[string]any, error) {
	t.Helper()
	o := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	o["metadata"] = map[string]any{"name": "u"}
	unknown := pruning.PruneWithOptions(o, s.whole, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.Default(o, s.whole)
	problems := append(validation.ValidateCustomResource(nil, o, s.types), listtype.ValidateListSetsAndMaps(nil, s.whole, o)...)
	broken, _ := s.rules.Validate(t.Context(), field.NewPath(""), s.whole, o, nil, celconfig.RuntimeCELCostBudget)
	if len(unknown) > 0 {
		return o, fmt.Errorf("unknown %v", unknown)
	}
	return o, append(problems, broken...).ToAggregate()
}

func TestSchema(t *testing.T) {
	s := newSchema(t)
	const least = "artifact: https://releases.example.com/coracle.slot, version: 0.2.0"
	for name, tc := range map[string]struct{ spec, want string }{
		"least":                  {least, ""},
		"registry":               {"artifact: 'oci://registry.example.com/coracle@sha256:abc', version: 1.2.3-rc.1+b2", ""},
		"everything":             {least + ", nodeSelector: {matchLabels: {a: b}, matchExpressions: [{key: k, operator: NotIn, values: [v]}, {key: l, operator: Exists}]}, concurrency: 3, drain: {deadline: 0s}, window: {days: [sat, sun], start: '23:30', duration: 1h30m}, timeout: 1h, pauseOnFailure: false, paused: true", ""},
		"no artifact":            {"version: 0.2.0", "spec.artifact: Required"},
		"no version":             {"artifact: https://a.example/b", "spec.version: Required"},
		"file":                   {"artifact: /tmp/coracle.slot, version: 0.2.0", "spec.artifact"},
		"version with a v":       {"artifact: https://a.example/b, version: v0.2.0", "spec.version"},
		"no machine at a time":   {least + ", concurrency: 0", "spec.concurrency"},
		"long drain":             {least + ", drain: {deadline: 61m}", "is longer than 1h"},
		"drain without a unit":   {least + ", drain: {deadline: '60'}", "spec.drain.deadline"},
		"day":                    {least + ", window: {days: [someday]}", "spec.window.days"},
		"day twice":              {least + ", window: {days: [sat, sat]}", "spec.window.days"},
		"hour":                   {least + ", window: {start: '24:00'}", "spec.window.start"},
		"short window":           {least + ", window: {duration: 5m}", "is not between 10m and 24h"},
		"short timeout":          {least + ", timeout: 30s", "is not between 5m and 24h"},
		"misspelt":               {least + ", pauseOnFail: true", "spec.pauseOnFail"},
		"selector without value": {least + ", nodeSelector: {matchExpressions: [{key: k, operator: In}]}", "In and NotIn have values"},
		"selector with values":   {least + ", nodeSelector: {matchExpressions: [{key: k, operator: Exists, values: [v]}]}", "In and NotIn have values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.take(t, "spec: {"+tc.spec+"}")
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// What Go reads of an Upgrade has the defaults, and what it writes as a status is kept.
func TestSchemaIsThatOfTheTypes(t *testing.T) {
	s := newSchema(t)
	o, err := s.take(t, "spec: {artifact: https://a.example/b, version: 0.2.0, window: {}}")
	if err != nil {
		t.Fatal(err)
	}
	var u Upgrade
	if err := convert(o, &u); err != nil {
		t.Fatal(err)
	}
	if u.Spec.Concurrency != 1 || u.Spec.Drain.Deadline.Duration.String() != "2m0s" || u.Spec.Timeout.Duration.String() != "30m0s" || !u.Spec.PauseOnFailure || u.Spec.Window.Start != "02:00" {
		t.Errorf("defaults: %+v", u.Spec)
	}
	u.Status, _ = plan(&u, world(node("edge-1"), node("edge-2", notReady)))
	u.Status.Nodes[0].Attempts, u.Status.Nodes[0].Version, u.Status.Nodes[0].Target = 1, "0.1.0", "0.2.0"
	text, err := yaml.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.take(t, string(text)); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

// The example is valid.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../configs/upgrade.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSchema(t).take(t, string(text)); err != nil {
		t.Error(err)
	}
}

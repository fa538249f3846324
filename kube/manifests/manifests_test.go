package manifests

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/control"
)

// fakeCluster keeps objects by their name; value: the manifest in their label.
type fakeCluster struct {
	objects  map[ref]string
	saved    record
	unknown  map[string]bool // kinds that the cluster does not know
	refuse   map[string]bool // names of objects that it does not take
	failSave bool
	log      []string
}

func newFake() *fakeCluster {
	return &fakeCluster{objects: map[ref]string{}, saved: record{}, unknown: map[string]bool{}, refuse: map[string]bool{}}
}

func (f *fakeCluster) refresh() {}

func (f *fakeCluster) resolve(o object) (ref, error) {
	if f.unknown[o.GetKind()] {
		return ref{}, errors.New("the cluster does not know " + o.GetKind())
	}
	r := ref{Kind: o.GetKind(), Name: o.GetName(), Namespace: o.GetNamespace()}
	if r.Namespace == "" && r.Kind != "Namespace" {
		r.Namespace = "default"
	}
	return r, nil
}

func (f *fakeCluster) apply(_ context.Context, r ref, o object) error {
	if f.saved.owner(r) == "" {
		return errors.New("it was not recorded before")
	}
	if f.refuse[r.Name] {
		return errors.New("field is immutable")
	}
	f.objects[r] = o.GetLabels()[label]
	f.log = append(f.log, "+"+r.Name)
	if r.Kind == "CRD" {
		delete(f.unknown, "Boat")
	}
	return nil
}

func (f *fakeCluster) remove(_ context.Context, r ref, manifest string) error {
	if f.objects[r] != manifest {
		return nil
	}
	if f.refuse[r.Name] {
		return errors.New("forbidden")
	}
	delete(f.objects, r)
	f.log = append(f.log, "-"+r.Name)
	return nil
}

func (f *fakeCluster) load(context.Context) (record, error) {
	copied := record{}
	for name, refs := range f.saved {
		copied[name] = slices.Clone(refs)
	}
	return copied, nil
}

func (f *fakeCluster) save(_ context.Context, r record) error {
	if f.failSave {
		return errors.New("record which objects there are: the disk is full")
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	f.saved, err = decodeRecord(data)
	return err
}

func (f *fakeCluster) taken() string {
	out := strings.Join(f.log, " ")
	f.log = nil
	return out
}

// objects writes a manifest: "Kind/name …".
func manifestOf(name, objects string) control.Manifest {
	var text strings.Builder
	for o := range strings.FieldsSeq(objects) {
		kind, object, _ := strings.Cut(o, "/")
		text.WriteString("---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + object + "}\n")
	}
	return control.Manifest{Name: name, Content: text.String()}
}

func TestPasses(t *testing.T) {
	type step struct {
		name     string
		before   func(f *fakeCluster)
		list     []control.Manifest
		restart  bool   // kube begins anew
		log      string // what happened: +applied -removed
		problems string
	}
	a := manifestOf("a", "Secret/s Namespace/ns Pod/p")
	for name, steps := range map[string][]step{
		"applied in order, once, and again after a restart": {
			{list: []control.Manifest{a}, log: "+ns +s +p"},
			{name: "again", list: []control.Manifest{a}},
			{name: "restart", list: []control.Manifest{a}, restart: true, log: "+ns +s +p"},
		},
		"changed, and taken away": {
			{list: []control.Manifest{a, manifestOf("b", "Pod/q")}, log: "+ns +s +p +q"},
			{name: "less", restart: true, list: []control.Manifest{manifestOf("a", "Secret/s Pod/r"), manifestOf("b", "Pod/q")}, log: "+s +r +q -p -ns"},
			{name: "gone", restart: true, list: []control.Manifest{manifestOf("b", "Pod/q")}, log: "+q -r -s"},
			{name: "all gone", restart: true, log: "-q"},
			{name: "still", restart: true},
		},
		"moved to another manifest": {
			{list: []control.Manifest{manifestOf("a", "Pod/p"), manifestOf("b", "Pod/q")}, log: "+p +q"},
			{restart: true, list: []control.Manifest{manifestOf("b", "Pod/q Pod/p")}, log: "+q +p"},
			{restart: true, list: []control.Manifest{manifestOf("b", "Pod/q")}, log: "+q -p"},
		},
		"a label taken off by hand": {
			{list: []control.Manifest{a}, log: "+ns +s +p"},
			{restart: true, before: func(f *fakeCluster) { f.objects[ref{Kind: "Pod", Name: "p", Namespace: "default"}] = "" }, log: "-s -ns"},
		},
		"a kind that comes with the manifest": {
			{
				before: func(f *fakeCluster) { f.unknown["Boat"] = true }, list: []control.Manifest{manifestOf("a", "Boat/b CRD/c")}, log: "+c",
				problems: "manifest a: the cluster does not know Boat",
			},
			{name: "next", list: []control.Manifest{manifestOf("a", "Boat/b CRD/c")}, log: "+b +c"},
		},
		"an object that is refused": {
			{
				before: func(f *fakeCluster) { f.refuse["s"] = true }, list: []control.Manifest{a}, log: "+ns +p",
				problems: "manifest a: apply Secret default/s: field is immutable",
			},
			{name: "corrected", before: func(f *fakeCluster) { f.refuse["s"] = false }, list: []control.Manifest{a}, log: "+ns +s +p"},
		},
		"nothing is removed while something of it is not known": {
			{list: []control.Manifest{manifestOf("a", "Pod/p Boat/b")}, log: "+p +b"},
			{
				restart: true, before: func(f *fakeCluster) { f.unknown["Boat"] = true }, list: []control.Manifest{manifestOf("a", "Boat/b")},
				problems: "manifest a: the cluster does not know Boat",
			},
			{name: "known again", before: func(f *fakeCluster) { f.unknown["Boat"] = false }, list: []control.Manifest{manifestOf("a", "Boat/b")}, log: "+b -p"},
		},
		"an object that cannot be removed": {
			{list: []control.Manifest{a}, log: "+ns +s +p"},
			{restart: true, before: func(f *fakeCluster) { f.refuse["s"] = true }, log: "-p -ns", problems: "manifest a: remove Secret default/s: forbidden"},
			{name: "later", before: func(f *fakeCluster) { f.refuse["s"] = false }, log: "-s"},
		},
		"without a record nothing is applied": {
			{
				before: func(f *fakeCluster) { f.failSave = true }, list: []control.Manifest{a},
				problems: "manifest a: record which objects there are: the disk is full",
			},
		},
		"an object in two manifests": {
			{
				list: []control.Manifest{manifestOf("a", "Pod/p"), manifestOf("b", "Pod/p Pod/q Pod/q")}, log: "+p +q",
				problems: "manifest b: Pod default/p is in manifest a too; manifest b: Pod default/q is in it twice",
			},
		},
		"content that is none": {
			{list: []control.Manifest{a}, log: "+ns +s +p"},
			{
				restart: true, list: []control.Manifest{{Name: "a", Content: "kind: Pod"}, manifestOf("b", "Pod/q")}, log: "+q",
				problems: "manifest a: document 1: it has no apiVersion",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			var k *keeper
			for _, s := range steps {
				if k == nil || s.restart {
					k = &keeper{api: f, source: newSource(t.TempDir()), done: map[string]string{}}
				}
				if s.before != nil {
					s.before(f)
				}
				problems := strings.Join(k.pass(t.Context(), s.list), "; ")
				if got := f.taken(); got != s.log || problems != s.problems {
					t.Fatalf("%s: got  %q, problems %q\nwant %q, problems %q", s.name, got, problems, s.log, s.problems)
				}
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, err string }{
		"order":           {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n---\n{apiVersion: x/v1, kind: Boat, metadata: {name: b}}\n---\n{apiVersion: v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: ns}}", "ns d b w", ""},
		"comments":        {"# one\n---\n# two\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p}}\n---\n", "p", ""},
		"list":            {"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: p}}, {apiVersion: v1, kind: Pod, metadata: {name: q}}]}", "p q", ""},
		"JSON":            {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}`, "p", ""},
		"no kind":         {"apiVersion: v1\nmetadata: {name: p}", "", "document 1: it has no kind"},
		"no name":         {"{apiVersion: v1, kind: Pod, metadata: {generateName: p-}}", "", "document 1: the Pod has no metadata.name"},
		"bad apiVersion":  {"{apiVersion: a/b/c, kind: Pod, metadata: {name: p}}", "", "document 1: the Pod p: unexpected GroupVersion string: a/b/c"},
		"in the second":   {"{apiVersion: v1, kind: Pod, metadata: {name: p}}\n---\nhello", "", "document 2"},
		"not YAML":        {"{", "", "document 1"},
		"nothing":         {"", "", ""},
		"strange item":    {"{apiVersion: v1, kind: List, items: [hello]}", "", "document 1"},
		"numbers as name": {"{apiVersion: v1, kind: Pod, metadata: {name: 7}}", "", "document 1: the Pod has the metadata.name 7, which is not text; put it in quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := decode([]byte(tc.in))
			var names []string
			for _, o := range objects {
				names = append(names, o.GetName())
			}
			if got := strings.Join(names, " "); got != tc.want || tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.err)) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {a: b}}}\n---\n- x"))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"kind":"List","items":[]}]}`))
	f.Add([]byte("a: &a [x, x]\nb: &b [*a, *a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		objects, err := decode(content)
		for _, o := range objects {
			if err == nil && (o.GetKind() == "" || o.GetName() == "") {
				t.Errorf("accepted %q", content)
			}
			o.mark("m", ref{Namespace: "n"})
			if o.GetLabels()[label] != "m" || o.GetNamespace() != "n" {
				t.Errorf("not marked: %v", o.Object)
			}
		}
	})
}

func TestSource(t *testing.T) {
	content, status := "one", http.StatusOK
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/file", http.StatusFound)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(content))
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "manifests")
	at := func(path, digest string) control.Manifest {
		return control.Manifest{Name: "m", URL: server.URL + path, SHA256: digest}
	}
	for _, step := range []struct {
		name     string
		manifest control.Manifest
		before   func()
		want     string
		asked    int
		err      string
	}{
		{"inline", control.Manifest{Name: "i", Content: "here"}, nil, "here", 0, ""},
		{"fetched", at("/file", ""), nil, "one", 1, ""},
		{"fetched again, as it may have changed", at("/file", ""), func() { content = "two" }, "two", 1, ""},
		{"the server says no", at("/file", ""), func() { status = http.StatusNotFound }, "two", 1, "says 404 Not Found; the file that was fetched before is used"},
		{"another address", at("/other", ""), nil, "", 1, "says 404 Not Found"},
		{"through a redirect", at("/moved", ""), func() { status = http.StatusOK }, "two", 2, ""},
		{"digest of what is there", at("/file", digestOf([]byte("two"))), nil, "two", 0, ""},
		{"digest in capitals", at("/file", strings.ToUpper(digestOf([]byte("two")))), nil, "two", 0, ""},
		{"another digest", at("/file", digestOf([]byte("three"))), nil, "", 1, "its digest is " + digestOf([]byte("two"))},
		{"that comes", at("/file", digestOf([]byte("three"))), func() { content = "three" }, "three", 1, ""},
		{"empty", at("/file", ""), func() { content = "" }, "three", 1, "it is empty"},
		{"too large", at("/file", ""), func() { content = strings.Repeat("x", 101) }, "three", 1, "it is larger than 100 bytes"},
		{"no server", control.Manifest{Name: "n", URL: "http://u:secret@127.0.0.1:1/"}, nil, "", 0, "connection refused"},
	} {
		s := newSource(dir) // a restart
		s.maxSize = 100
		if step.before != nil {
			step.before()
		}
		asked = 0
		got, err := s.content(t.Context(), step.manifest)
		if string(got) != step.want || asked != step.asked {
			t.Errorf("%s: got %q, asked %d times", step.name, got, asked)
		}
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %q", step.name, err, step.err)
		}
	}
	if err := newSource(dir).prune([]control.Manifest{at("/moved", "")}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != fileOf(at("/moved", "")) {
		t.Errorf("kept files: %v, %v", entries, err)
	}
	if err := newSource(filepath.Join(dir, "absent")).prune(nil); err != nil {
		t.Error(err)
	}
}

func TestKeepSecure(t *testing.T) {
	request := func(url string) *http.Request { r, _ := http.NewRequest(http.MethodGet, url, nil); return r }
	secure, plain := request("https://a.example"), request("http://a.example")
	for name, tc := range map[string]struct {
		next *http.Request
		via  []*http.Request
		ok   bool
	}{
		"secure":       {secure, []*http.Request{secure}, true},
		"to plain":     {plain, []*http.Request{secure}, false},
		"from plain":   {plain, []*http.Request{plain}, true},
		"without end":  {secure, slices.Repeat([]*http.Request{secure}, 10), false},
		"back to http": {plain, []*http.Request{secure, secure}, false},
	} {
		if err := keepSecure(tc.next, tc.via); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecord(t *testing.T) {
	r := record{"a": {{Kind: "Pod", Namespace: "default", Name: "p"}, {Group: "apps", Kind: "Deployment", Namespace: "x", Name: "d"}}, "empty": nil}
	data, err := r.encode()
	if err != nil || slices.Sorted(maps.Keys(data))[0] != "a" || len(data) != 1 {
		t.Fatalf("%v, %v", data, err)
	}
	back, err := decodeRecord(data)
	if err != nil || !back.equal(r) || !r.equal(back) {
		t.Errorf("%v, %v", back, err)
	}
	if back.equal(record{"b": r["a"]}) || back.equal(record{"a": r["a"][:1]}) {
		t.Error("different records are equal")
	}
	if _, err := decodeRecord(map[string]string{"a": "["}); err == nil {
		t.Error("a torn record was read")
	}
}

package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	restful "github.com/emicklei/go-restful/v3"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Boat is the type of the API that these tests have.
type Boat struct{}

const boatName = "github.com/coracle-os/coracle/kube/openapi.Boat"

func definitions(common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	return map[string]common.OpenAPIDefinition{boatName: {Schema: spec.Schema{SchemaProps: spec.SchemaProps{
		Description: "Boat floats.", Type: []string{"object"},
		Properties: map[string]spec.Schema{"oars": {SchemaProps: spec.SchemaProps{Type: []string{"integer"}}}},
	}}}}
}

func operation(route common.Route) (string, []string, error) {
	return strings.ToLower(route.Method()) + strings.ReplaceAll(route.Path(), "/", "_"), nil, nil
}

func configs() (*common.Config, *common.OpenAPIV3Config) {
	info := &spec.Info{InfoProps: spec.InfoProps{Title: "Boats", Version: "v1"}}
	name := func(string) (string, spec.Extensions) { return "io.coracle.Boat", nil }
	v3 := &common.OpenAPIV3Config{Info: info, GetDefinitions: definitions, GetDefinitionName: name, GetOperationIDAndTagsFromRoute: operation}
	v3.Definitions = definitions(nil)
	return &common.Config{Info: info, GetDefinitions: definitions, GetDefinitionName: name, GetOperationIDAndTagsFromRoute: operation}, v3
}

// container has one web service for each path.
func container(paths ...string) *restful.Container {
	c := restful.NewContainer()
	for _, path := range paths {
		service := new(restful.WebService).Path(path).Produces("application/json")
		service.Route(service.GET("/boats").To(func(*restful.Request, *restful.Response) {}).Writes(Boat{}).Returns(200, "OK", Boat{}))
		c.Add(service)
	}
	return c
}

func ours(c *restful.Container) *mux.PathRecorderMux {
	m := mux.NewPathRecorderMux("ours")
	v2, v3 := configs()
	Install(m, c, v2, v3)
	return m
}

func upstreams(c *restful.Container) *mux.PathRecorderMux {
	m := mux.NewPathRecorderMux("upstream")
	v2, v3 := configs()
	routes.OpenAPI{Config: v2}.InstallV2(c, m)
	routes.OpenAPI{V3Config: v3}.InstallV3(c, m)
	return m
}

func ask(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	h.ServeHTTP(response, request)
	return response
}

func TestSameDocumentsAsUpstream(t *testing.T) {
	c := container("/apis/boats/v1", "/apis/boats/v2", "/version")
	mine, theirs := ours(c), upstreams(c)
	const v2, v3 = "application/com.github.proto-openapi.spec.v2", "application/com.github.proto-openapi.spec.v3"
	for _, tc := range []struct{ path, accept string }{
		{pathV2, ""}, {pathV2, "application/json"}, {pathV2, v2 + ".v1.0+protobuf"}, {pathV2, v2 + "@v1.0+protobuf"}, {pathV2, "text/html"},
		{"/openapi/v3/apis/boats/v1", ""}, {"/openapi/v3/apis/boats/v2", "application/json"}, {"/openapi/v3/version", "*/*"},
		{"/openapi/v3/apis/boats/v1", v3 + ".v1.0+protobuf"}, {"/openapi/v3/apis/boats/v1", v3 + "@v1.0+protobuf, application/json"},
		{"/openapi/v3/apis/boats/v1", "text/html"},
	} {
		t.Run(tc.path+" "+tc.accept, func(t *testing.T) {
			got, want := ask(mine, tc.path, "Accept", tc.accept), ask(theirs, tc.path, "Accept", tc.accept)
			if got.Code != want.Code || got.Header().Get("Content-Type") != want.Header().Get("Content-Type") {
				t.Errorf("got %d %v, want %d %v", got.Code, got.Header(), want.Code, want.Header())
			}
			if !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
				t.Errorf("got  %.300s\nwant %.300s", got.Body, want.Body)
			}
			if want.Code == http.StatusOK && got.Body.Len() == 0 {
				t.Error("the document is empty")
			}
		})
	}
}

func TestDiscoveryLeadsToTheDocuments(t *testing.T) {
	m := ours(container("/apis/boats/v1", "/version"))
	response := ask(m, pathV3)
	var list handler3.OpenAPIV3Discovery
	if err := json.Unmarshal(response.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Paths) != 2 {
		t.Fatalf("paths %v", list.Paths)
	}
	address := list.Paths["apis/boats/v1"].ServerRelativeURL
	document := ask(m, address)
	if document.Code != http.StatusOK || !strings.Contains(document.Body.String(), "Boat floats.") {
		t.Errorf("%s: %d %s", address, document.Code, document.Body)
	}
	if document.Header().Get("Cache-Control") != "public, immutable" {
		t.Error("the document may not be cached")
	}
	if again := ask(m, address, "If-None-Match", document.Header().Get("Etag")); again.Code != http.StatusNotModified {
		t.Errorf("asked again: %d", again.Code)
	}
	if old := ask(m, "/openapi/v3/apis/boats/v1?hash=OLD"); old.Code != http.StatusMovedPermanently || old.Header().Get("Location") != address {
		t.Errorf("an old hash: %d %s", old.Code, old.Header().Get("Location"))
	}
	if missing := ask(m, "/openapi/v3/apis/ships/v1"); missing.Code != http.StatusNotFound {
		t.Errorf("an unknown group: %d", missing.Code)
	}
}

func TestGzip(t *testing.T) {
	m := ours(container("/apis/boats/v1"))
	plain := ask(m, "/openapi/v3/apis/boats/v1")
	for header, compressed := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "identity": false} {
		response := ask(m, "/openapi/v3/apis/boats/v1", "Accept-Encoding", header)
		if got := response.Header().Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("%q: compressed %t", header, got)
		}
		body := response.Body.Bytes()
		if compressed {
			var err error
			if body, err = decompress(body); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%q: another document", header)
		}
	}
}

func TestBuiltOnceAndOnlyWhenAsked(t *testing.T) {
	builds := 0
	d := &document{path: "/x", etag: "E", mediaTypes: mediaTypes("v3"), build: func() ([]byte, error) {
		builds++
		return []byte(`{}`), nil
	}}
	if builds != 0 {
		t.Error("built before anybody asked")
	}
	for range 3 {
		if response := ask(d, "/x"); response.Body.String() != "{}" {
			t.Errorf("got %q", response.Body)
		}
	}
	if builds != 1 {
		t.Errorf("built %d times", builds)
	}
}

func TestFingerprintFollowsTheRoutes(t *testing.T) {
	one := fingerprint(container("/apis/boats/v1").RegisteredWebServices())
	if again := fingerprint(container("/apis/boats/v1").RegisteredWebServices()); again != one {
		t.Error("not the same for the same routes")
	}
	if other := fingerprint(container("/apis/boats/v1", "/apis/boats/v2").RegisteredWebServices()); other == one {
		t.Error("the same for other routes")
	}
}

package openapi

import (
	"fmt"
	"net/http"

	restful "github.com/emicklei/go-restful/v3"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/kube-openapi/pkg/common"
)

// buildV2 lets upstream build the document, and takes its JSON.
func buildV2(container *restful.Container, config *common.Config) ([]byte, error) {
	scratch := mux.NewPathRecorderMux("openapi-v2")
	routes.OpenAPI{Config: config}.InstallV2(container, scratch)
	return get(scratch, pathV2)
}

// buildV3 does the same for one group version: a container with only its web service makes upstream build nothing else.
func buildV3(service *restful.WebService, name string, config *common.OpenAPIV3Config) ([]byte, error) {
	container := restful.NewContainer()
	container.Add(service)
	scratch := mux.NewPathRecorderMux("openapi-v3")
	routes.OpenAPI{V3Config: config}.InstallV3(container, scratch)
	return get(scratch, pathV3+"/"+name)
}

// get asks a handler in this process.
func get(h http.Handler, path string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	r := recorder{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(&r, request)
	if r.status != http.StatusOK || len(r.body) == 0 {
		return nil, fmt.Errorf("build OpenAPI document %s: status %d", path, r.status)
	}
	return r.body, nil
}

// recorder is a http.ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header    { return r.header }
func (r *recorder) WriteHeader(status int) { r.status = status }
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

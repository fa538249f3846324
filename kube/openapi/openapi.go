// Package openapi serves the OpenAPI documents of the built-in APIs without keeping them in memory.
//
// Upstream builds the documents of all groups while the apiserver starts, and keeps them as trees of Go objects and as JSON:
// 40 MiB and a fifth of the start's processor time, for documents that a device in the field is hardly ever asked for. Here
// each is built by the same code of upstream when somebody asks for it, and kept compressed: 1 MiB when all were asked for.
// Who asks for the v2 document brings memory use back: the aggregator in front keeps it as a tree.
package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	restful "github.com/emicklei/go-restful/v3"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/component-base/version"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
)

// Paths that upstream's clients ask.
const (
	pathV2 = "/openapi/v2"
	pathV3 = "/openapi/v3"
)

// Mux is where handlers are registered; *mux.PathRecorderMux of an apiserver is one.
type Mux interface {
	common.PathHandlerByGroupVersion
}

var _ Mux = (*mux.PathRecorderMux)(nil)

// Install serves the documents of the APIs in container on m, in the place of upstream's handlers: the server's
// SkipOpenAPIInstallation has to be set.
func Install(m Mux, container *restful.Container, v2 *common.Config, v3 *common.OpenAPIV3Config) {
	s := newServer(container, v2, v3)
	m.Handle(pathV2, s.v2)
	m.Handle(pathV3, s.discovery())
	m.HandlePrefix(pathV3+"/", s)
}

// server has one document for OpenAPI v2 and one for each group version for v3.
type server struct {
	version string // changes when any document does; ETag of all of them
	v2      *document
	v3      map[string]*document // by path below pathV3, such as apis/apps/v1
}

func newServer(container *restful.Container, v2 *common.Config, v3 *common.OpenAPIV3Config) *server {
	// The definitions of all types, 6 MiB, are computed when they are needed if they are not in the configuration.
	lean := *v3
	lean.Definitions = nil

	services := container.RegisteredWebServices()
	s := &server{version: fingerprint(services), v3: map[string]*document{}}
	s.v2 = &document{
		path: pathV2, etag: s.version, mediaTypes: mediaTypes("v2"), toProtobuf: handler.ToProtoBinary,
		build: func() ([]byte, error) { return buildV2(container, v2) },
	}
	for _, service := range services {
		name := strings.TrimPrefix(service.RootPath(), "/")
		s.v3[name] = &document{
			path: pathV3 + "/" + name, etag: s.version, mediaTypes: mediaTypes("v3"), toProtobuf: handler3.ToV3ProtoBinary,
			build: func() ([]byte, error) { return buildV3(service, name, &lean) },
		}
	}
	return s
}

// fingerprint identifies the documents: they follow from the version of Kubernetes and the routes that it has.
func fingerprint(services []*restful.WebService) string {
	var routes []string
	for _, service := range services {
		for _, route := range service.Routes() {
			routes = append(routes, route.Method+" "+route.Path)
		}
	}
	slices.Sort(routes)
	info := version.Get()
	hash := sha256.New()
	fmt.Fprintln(hash, info.GitVersion, info.GitCommit)
	for _, route := range routes {
		fmt.Fprintln(hash, route)
	}
	return strings.ToUpper(hex.EncodeToString(hash.Sum(nil)))
}

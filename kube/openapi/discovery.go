package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/kube-openapi/pkg/handler3"
)

// discovery lists the v3 documents. It needs none of them: the hash in their addresses is the fingerprint of all.
func (s *server) discovery() http.Handler {
	list := handler3.OpenAPIV3Discovery{Paths: map[string]handler3.OpenAPIV3DiscoveryGroupVersion{}}
	for name, document := range s.v3 {
		list.Paths[name] = handler3.OpenAPIV3DiscoveryGroupVersion{ServerRelativeURL: document.path + "?hash=" + document.etag}
	}
	content, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings only
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", strconv.Quote(s.version))
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

// ServeHTTP answers for the documents below pathV3.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, ok := s.v3[strings.TrimPrefix(r.URL.Path, pathV3+"/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	found.ServeHTTP(w, r)
}

package api

import (
	"time"

	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
)

// anybody is the role that needs no key.
const anybody types.KeyRole = ""

// method is a method of the service, and what a caller of it needs and may cost.
type method struct {
	name string
	role types.KeyRole // the least that a caller needs; some answer more to more, which their handlers see to
	// keyless: while the machine has no config, and so no keys, anybody may call it.
	keyless bool
	stream  bool          // it answers with a stream
	upload  bool          // it is called with a stream, whose messages are requests
	request int           // the largest request, in bytes; 0: maxRequest
	timeout time.Duration // of a method that is no stream; 0: unaryTimeout
}

// configRequest is the largest request with a config in it. In JSON, bytes are base64, a third longer.
const configRequest = config.MaxSize*4/3 + maxRequest

// uploadMessage is the largest message of an upload, in bytes.
const uploadMessage = 1<<20 + maxRequest

// rollbackTimeout is how long it may take to read a whole slot from a slow card.
const rollbackTimeout = 5 * time.Minute

// methods are all there are. TestMethods compares them with the service's definition.
var methods = []method{
	{name: "GetVersion", role: anybody},
	{name: "GetStatus", role: types.Reader, keyless: true},
	{name: "WatchStatus", role: types.Reader, keyless: true, stream: true},
	{name: "WatchHealth", role: types.Reader, keyless: true, stream: true},

	{name: "GetConfig", role: types.Reader}, // with secrets: an admin
	{name: "ApplyConfig", role: types.Admin, keyless: true, request: configRequest, timeout: applyTimeout},
	{name: "PatchConfig", role: types.Admin, request: configRequest, timeout: applyTimeout},
	{name: "ConfirmConfig", role: types.Operator, timeout: applyTimeout},
	{name: "CancelConfig", role: types.Operator, timeout: applyTimeout},

	{name: "ListServices", role: types.Reader},
	{name: "RestartService", role: types.Operator},
	{name: "GetLogs", role: types.Reader, stream: true}, // of containers: an operator
	{name: "GetEvents", role: types.Reader, stream: true},

	{name: "ListProcesses", role: types.Reader}, // with arguments: an operator
	{name: "GetMemory", role: types.Reader},
	{name: "ListMounts", role: types.Reader},
	{name: "ListDisks", role: types.Reader, keyless: true},
	{name: "GetNetwork", role: types.Reader, keyless: true},
	{name: "ListConnections", role: types.Reader},
	{name: "GetTime", role: types.Reader},

	{name: "GetKubeconfig", role: types.Admin},
	{name: "CreateToken", role: types.Admin},
	{name: "ListTokens", role: types.Admin},
	{name: "DeleteToken", role: types.Admin},
	{name: "GetSupportBundle", role: types.Operator, stream: true},

	{name: "UploadUpgrade", role: types.Operator, upload: true, request: uploadMessage}, // with force: an admin
	{name: "PullUpgrade", role: types.Operator, stream: true},                           // the same
	{name: "GetUpgrade", role: types.Reader, timeout: applyTimeout},
	{name: "CancelUpgrade", role: types.Operator},
	{name: "Rollback", role: types.Operator, timeout: rollbackTimeout},

	{name: "Reboot", role: types.Operator},
	{name: "Shutdown", role: types.Operator},
	{name: "Reset", role: types.Admin, timeout: applyTimeout},
}

// metricsPath is answered to GET, for Prometheus, and no method of the service. It has a row of its own all the same.
const metricsPath = "/metrics"

var metricsMethod = method{name: "metrics", role: types.Reader}

// byProcedure are the methods by the path at which they are called.
var byProcedure = func() map[string]*method {
	m := map[string]*method{}
	for i := range methods {
		m[procedurePath(methods[i].name)] = &methods[i]
	}
	return m
}()

func procedurePath(method string) string {
	return "/" + machinepbconnect.MachineServiceName + "/" + method
}

// rank orders the roles.
var rank = map[types.KeyRole]int{anybody: 0, types.Reader: 1, types.Operator: 2, types.Admin: 3}

// largest is the largest request of the method, in bytes.
func (m *method) largest() int {
	if m == nil || m.request == 0 {
		return maxRequest
	}
	return m.request
}

// body is the most bytes that a call may send.
func (m *method) body() int64 {
	if m != nil && m.upload {
		return maxUpload
	}
	return int64(m.largest()) + envelope
}

// maxUpload is far more than a slot holds, in bytes.
const maxUpload = 8 << 30

// longest is how long the method, which is no stream, may take.
func (m *method) longest() time.Duration {
	if m.timeout == 0 {
		return unaryTimeout
	}
	return m.timeout
}

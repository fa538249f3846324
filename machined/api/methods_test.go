package api

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// TestMethods compares the table with the service's definition: a method that is in one and not in the other is a mistake.
func TestMethods(t *testing.T) {
	defined := machinepb.File_coracle_machine_v1alpha1_machine_proto.Services().Get(0).Methods()
	for i := range defined.Len() {
		d := defined.Get(i)
		m := byProcedure[procedurePath(string(d.Name()))]
		switch {
		case m == nil:
			t.Errorf("%s is not in the table", d.Name())
		case m.stream != d.IsStreamingServer():
			t.Errorf("%s is a stream: %v in the table, %v in the definition", d.Name(), m.stream, d.IsStreamingServer())
		case m.upload != d.IsStreamingClient():
			t.Errorf("%s takes a stream: %v in the table, %v in the definition", d.Name(), m.upload, d.IsStreamingClient())
		case (m.stream || m.upload) && m.timeout != 0:
			t.Errorf("%s is a stream and has a timeout, which has no effect", d.Name())
		}
	}
	for _, m := range methods {
		if defined.ByName(protoreflect.Name(m.name)) == nil {
			t.Errorf("%s is not in the definition", m.name)
		}
		if _, known := rank[m.role]; !known {
			t.Errorf("%s needs the role %q, which does not exist", m.name, m.role)
		}
		if m.role == anybody && m.name != "GetVersion" {
			t.Errorf("anybody may call %s", m.name)
		}
	}
	if len(methods) != len(byProcedure) {
		t.Error("a method is in the table twice")
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	published "github.com/coracle-os/coracle/docs/schema"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(published.MachineConfig))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("machineconfig.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("machineconfig.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaTakesExamples holds the schema against the standard's meta-schema, and the examples against the schema.
func TestSchemaTakesExamples(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob(filepath.Join(top, "configs/machine*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(decode(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := compile(t)
	const head = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\n"
	if err := s.Validate(decode(t, []byte(head+"machine: {role: server, sysctls: {vm.swappiness: 10}}"))); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ in, where string }{
		"unknown field":  {head + "machine: {role: server, rolle: x}", "/machine"},
		"missing role":   {head + "machine: {}", "/machine"},
		"enum":           {head + "machine: {role: worker}", "/machine/role"},
		"not a group":    {head + "machine: [x]", "/machine"},
		"not a number":   {head + "machine: {role: server, api: {port: x}}", "/machine/api/port"},
		"bad address":    {head + "machine: {role: server, network: {nameservers: [x]}}", "/machine/network/nameservers/0"},
		"bad duration":   {head + "machine: {role: server, watchdog: {timeout: 60}}", "/machine/watchdog/timeout"},
		"bad duration 2": {head + "machine: {role: server, watchdog: {timeout: '60'}}", "/machine/watchdog/timeout"},
		"bad key":        {head + "machine: {role: server, api: {keys: [{name: a, role: admin, key: ssh-rsa}]}}", "/machine/api/keys/0/key"},
		"other version":  {"apiVersion: v1\nkind: MachineConfig\nmachine: {role: server}", "/apiVersion"},
	} {
		if err := s.Validate(decode(t, []byte(tc.in))); err == nil || !strings.Contains(err.Error(), "at '"+tc.where+"'") {
			t.Errorf("%s: %v, want a problem at %s", name, err, tc.where)
		}
	}
}

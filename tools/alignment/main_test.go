package main

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestAnalyzer(t *testing.T) {
	t.Setenv("GOARCH", "arm")
	analysistest.Run(t, analysistest.TestData(), analyzer, "a")
}

package main

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestPoolUseInsideATransactionIsReported(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, analysistest.TestData(), Analyzer, module+"/internal/domain/thing", module+"/internal/api/caller")
}

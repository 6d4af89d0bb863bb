package evaluator_test

import (
	"testing"

	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

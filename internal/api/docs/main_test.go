package docs_test

import (
	"testing"

	"github.com/avelto/convo/internal/testing/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

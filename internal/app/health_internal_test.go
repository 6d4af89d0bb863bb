package app

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/testdb"
)

// TestReadinessIsCheckedOncePerMoment sends many requests at the same time.
func TestReadinessIsCheckedOncePerMoment(t *testing.T) {
	t.Parallel()
	h := &health{db: testdb.New(t)}
	before, began := h.db.Pool().Stat().AcquireCount(), time.Now()
	var asking sync.WaitGroup
	for range 1000 {
		asking.Go(func() {
			w := httptest.NewRecorder()
			h.ready(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			assert.Equal(t, http.StatusOK, w.Code)
		})
	}
	asking.Wait()
	checks := h.db.Pool().Stat().AcquireCount() - before
	require.LessOrEqual(t, checks, 1+int64(time.Since(began)/readyFor))
}

package app_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

func TestABusyServerIsReady(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for range s.DB.Pool().Config().MaxConns {
		conn, err := s.DB.Pool().Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Origin+"/readyz", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
}

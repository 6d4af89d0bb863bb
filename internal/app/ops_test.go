package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/testing/testdb"
)

// opened builds a server with an address for metrics, and runs its loops until stop.
func opened(t *testing.T, addr string) (a *app.App, stop func()) {
	t.Helper()
	config := settings(t)
	config.OpsAddr = addr
	a, err := app.New(t.Context(), config, parts(testdb.New(t)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return a, stop
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestMetricsAndProfilesHaveTheirOwnAddress(t *testing.T) {
	t.Parallel()
	a, stop := opened(t, "127.0.0.1:0")
	for path, want := range map[string]string{"/metrics": "go_goroutines", "/debug/pprof/": "goroutine", "/debug/pprof/heap?debug=1": "heap profile"} {
		status, body := fetch(t, "http://"+a.OpsAddr+path)
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, want, path)
	}
	status, _ := fetch(t, "http://"+a.OpsAddr+"/api/v1/openapi.json")
	require.Equal(t, http.StatusNotFound, status)

	profile := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		conn, err := net.Dial("tcp", a.OpsAddr)
		if err == nil {
			_, err = conn.Write([]byte("GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n"))
			close(started)
			_, _ = io.Copy(io.Discard, conn)
		}
		profile <- err
	}()
	<-started
	stop()
	require.NoError(t, <-profile, "a running profile does not delay the shutdown")
	_, err := net.Dial("tcp", a.OpsAddr)
	require.Error(t, err)
}

func TestTakenAddressOfMetrics(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", app.DefaultOpsAddr)
	if err == nil { // else another process has taken it, which serves as well
		defer taken.Close()
	}
	a, _ := opened(t, app.DefaultOpsAddr)
	require.NotEqual(t, app.DefaultOpsAddr, a.OpsAddr, "several processes start with the default")
	status, _ := fetch(t, "http://"+a.OpsAddr+"/metrics")
	require.Equal(t, http.StatusOK, status)

	config := settings(t)
	config.OpsAddr = a.OpsAddr
	_, err = app.New(t.Context(), config, parts(testdb.New(t)))
	require.ErrorContains(t, err, "CONVO_OPS_ADDR", "an address that was chosen is used or refused")

	off, _ := opened(t, "")
	require.Empty(t, off.OpsAddr)
}

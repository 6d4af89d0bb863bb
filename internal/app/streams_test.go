package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/testing/seed"
)

// TestShutdownEndsStreams: a stream lasts for an hour, but a shutdown does not wait for it.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	w := seed.New(t)
	channel := w.Channel(t, w.Ours, w.Agent(t, w.Ours, "Ada"), api.ChannelTypeWEBSITE)
	config := settings(t)
	config.RequestTimeout = time.Millisecond * 500
	a, err := app.New(t.Context(), config, parts(w.DB))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, listener, config) }()
	base := "http://" + listener.Addr().String() + "/api/v1/widget/"
	session := begin(t, base, channel)
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, base+"events", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+session.Token)
	stream, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer stream.Body.Close()
	require.Equal(t, http.StatusOK, stream.StatusCode)
	first := make([]byte, len(":\n\n"))
	_, err = io.ReadFull(stream.Body, first)
	require.NoError(t, err)
	ended := make(chan []byte, 1)
	go func() {
		rest, _ := io.ReadAll(stream.Body)
		ended <- rest
	}()
	select {
	case <-ended:
		require.Fail(t, "the timeout of requests has ended the stream")
	case <-time.After(2 * config.RequestTimeout):
	}
	stopped := time.Now()
	stop()
	require.Empty(t, <-ended)
	require.NoError(t, <-served)
	require.Less(t, time.Since(stopped), config.ShutdownTimeout/2)
}

func begin(t *testing.T, base string, channel uuid.UUID) (session api.WidgetSession) {
	t.Helper()
	response, err := http.Post(base+"sessions", "application/json", strings.NewReader(`{"channelId":"`+channel.String()+`"}`))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusCreated, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(&session))
	return session
}

package live_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/live"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
)

// silent is a session without a conversation.
type silent struct{}

func (silent) Receive(time.Time, []byte) ([]provider.Item, error) { return nil, nil }
func (silent) Thread() string                                     { return "" }
func (silent) Say(provider.Outbound) ([]byte, string, error)      { return nil, "", nil }
func (silent) End(why provider.Ending) []byte                     { return []byte(why) }

func connect(t *testing.T, engine *live.Engine) *websocket.Conn {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := engine.Enter(uuid.New())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			leave()
			return
		}
		go func() {
			defer leave()
			engine.Serve(conn, channel.Opened{}, silent{}, func(context.Context) bool { return true })
		}()
	}))
	t.Cleanup(server.Close)
	conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	require.NoError(t, err)
	if response.Body != nil {
		require.NoError(t, response.Body.Close())
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func newEngine() *live.Engine {
	return &live.Engine{Inbound: &inbound.Engine{}, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Poll: time.Minute}
}

// TestAStoppingProcessEndsItsConnections, so that providers connect to another one.
func TestAStoppingProcessEndsItsConnections(t *testing.T) {
	t.Parallel()
	engine := newEngine()
	conn := connect(t, engine)
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("hello")))
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		engine.Run(ctx)
	}()
	stop()
	_, frame, err := conn.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(provider.Restart), string(frame))
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	<-stopped
	_, err = engine.Enter(uuid.New())
	require.ErrorIs(t, err, live.ErrFull, "it accepts no others")
}

// TestNoWorkspaceTakesAllConnections: it may not have more than are free.
func TestNoWorkspaceTakesAllConnections(t *testing.T) {
	t.Parallel()
	engine, ours := newEngine(), uuid.New()
	var leave func()
	taken := 0
	for ; ; taken++ {
		one, err := engine.Enter(ours)
		if err != nil {
			require.ErrorIs(t, err, live.ErrFull)
			break
		}
		leave = one
	}
	require.Equal(t, 500, taken)
	_, err := engine.Enter(uuid.New())
	require.NoError(t, err)
	leave()
	leave()
	_, err = engine.Enter(ours)
	require.NoError(t, err)
	_, err = engine.Enter(ours)
	require.ErrorIs(t, err, live.ErrFull, "a place is given back once")
}

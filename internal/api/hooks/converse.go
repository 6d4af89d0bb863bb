package hooks

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/avelto/convo/internal/api/rescue"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// converse handles a request that opens a WebSocket: /hooks/{channelId} and what the channel's
// type adds.
func (h *Handler) converse(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	opened, session, err := h.authenticate(ctx, r)
	if err != nil {
		h.refuse(ctx, w, r, err)
		return
	}
	leave, err := h.Live.Enter(opened.Row.WorkspaceID)
	if err != nil {
		h.refuse(ctx, w, r, err)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		leave()
		return // it has responded
	}
	go func() {
		defer leave()
		err := rescue.Panics(func() error { // of one call, not of the process
			h.Live.Serve(conn, opened, session, func(ctx context.Context) bool { return h.take(ctx, opened) == nil })
			return nil
		})
		if err != nil {
			h.log.ErrorContext(ctx, "connection of a provider ended", "channelId", opened.Row.ID, "error", err)
		}
	}()
}

// authenticate verifies a request that opens a WebSocket.
func (h *Handler) authenticate(ctx context.Context, r *http.Request) (opened channel.Opened, session provider.Session, err error) {
	caller := ratelimit.Network(h.clientIP(r))
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Path), "/")
	if opened, err = h.open(ctx, Path+id, caller); err != nil {
		return opened, nil, err
	}
	conversing, ok := opened.Provider.(provider.Conversing)
	if !ok || h.Live == nil {
		return opened, nil, inbound.ErrNoChannel
	}
	sender := opened.Row.ID.String() + " " + caller
	if left := h.refused.Peek(sender, perSender); !left.Allowed {
		return opened, nil, &ratelimit.ExceededError{Result: left}
	}
	session, err = conversing.Converse(opened.Channel, provider.Request{
		Method: r.Method, Path: "/" + rest, Header: r.Header, Query: r.URL.Query(), ReceivedAt: h.clock.Now(),
	})
	if errors.Is(err, provider.ErrUnauthenticated) {
		_, _ = h.refused.Take(ctx, sender, perSender) // in memory, which does not fail
	}
	if err == nil {
		err = h.take(ctx, opened)
	}
	return opened, session, err
}

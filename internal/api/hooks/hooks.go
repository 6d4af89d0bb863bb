// Package hooks serves /hooks/{channelId}, which the providers of channels call. It knows
// bytes and limits; the channel's type knows what the bytes mean.
package hooks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/live"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

const (
	// Path is the path of a channel's hook; the channel's ID follows.
	Path = "/hooks/"
	// timeout bounds a request. Providers expect a response within seconds.
	timeout = 10 * time.Second
)

var (
	// perChannel bounds the authentic requests to a hook, so that one channel's provider does
	// not delay those of others.
	perChannel = ratelimit.Limit{Requests: 3000, Window: time.Minute}
	// perSender bounds the requests of one address to one hook that are not authentic. It is
	// not per address: a provider sends the requests of all its customers from a few.
	perSender = ratelimit.Limit{Requests: 120, Window: time.Minute}
	// unknown bounds the requests of one address to hooks that do not exist.
	unknown = ratelimit.Limit{Requests: 600, Window: time.Minute}
)

// Engine stores what a request contains. An *inbound.Engine does.
type Engine interface {
	Open(ctx context.Context, channelID uuid.UUID) (channel.Opened, error)
	Receive(ctx context.Context, opened channel.Opened, request provider.Request) (provider.Received, error)
	Store(ctx context.Context, opened channel.Opened, items []provider.Item) error
}

// Handler serves the hooks.
type Handler struct {
	// Channels and Audit serve authorizations of channels; nil for none.
	Channels *channel.Service
	Audit    *audit.Log
	// Live serves connections that providers open; nil for none.
	Live *live.Engine

	engine  Engine
	limiter ratelimit.Limiter
	lookups *ratelimit.Lookups
	refused *ratelimit.Memory
	bodies  *bodies
	clock   clock.Clock
	log     *slog.Logger
	// clientIP returns the IP address of the client.
	clientIP func(*http.Request) string
}

// New returns a handler. clientIP returns the IP address of the client.
func New(engine Engine, limiter ratelimit.Limiter, now clock.Clock, log *slog.Logger, clientIP func(*http.Request) string) *Handler {
	return &Handler{
		engine: engine, limiter: limiter, lookups: ratelimit.NewLookups(now, unknown), refused: ratelimit.NewMemory(now),
		bodies: newBodies(maxBodies), clock: now, log: log, clientIP: clientIP,
	}
}

// ServeHTTP handles one request. What is wrong with a request is not explained: its sender
// is unknown until it is verified.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, channel.AuthorizationPath) {
		h.authorize(ctx, w, r)
		return
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		h.converse(ctx, w, r)
		return
	}
	reply, err := h.handle(ctx, w, r)
	if err != nil {
		h.refuse(ctx, w, r, err)
		return
	}
	if reply == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
}

// handle reads, verifies and stores a request. Its body is read only if there is such a
// channel and room for it.
func (h *Handler) handle(ctx context.Context, w http.ResponseWriter, r *http.Request) (*provider.Reply, error) {
	caller := ratelimit.Network(h.clientIP(r))
	opened, err := h.open(ctx, r.URL.Path, caller)
	if err != nil {
		return nil, err
	}
	sender := opened.Row.ID.String() + " " + caller
	if left := h.refused.Peek(sender, perSender); !left.Allowed {
		return nil, &ratelimit.ExceededError{Result: left}
	}
	body, release, err := h.bodies.read(w, r, opened)
	if err != nil {
		return nil, err
	}
	defer release()
	received, err := h.engine.Receive(ctx, opened, provider.Request{
		Method: r.Method, Header: r.Header, Query: r.URL.Query(), Body: body, ReceivedAt: h.clock.Now(),
	})
	if errors.Is(err, provider.ErrUnauthenticated) {
		_, _ = h.refused.Take(ctx, sender, perSender) // in memory, which does not fail
	}
	if err == nil {
		err = h.take(ctx, opened)
	}
	if err != nil {
		return nil, err
	}
	return received.Reply, h.engine.Store(ctx, opened, received.Items)
}

// take counts an authentic request to a channel.
func (h *Handler) take(ctx context.Context, opened channel.Opened) error {
	taken, err := h.limiter.Take(ctx, "hook "+opened.Row.ID.String(), perChannel)
	if err != nil {
		return fmt.Errorf("rate limit: %w", err)
	}
	if !taken.Allowed {
		return &ratelimit.ExceededError{Result: taken}
	}
	return nil
}

// open opens the channel that a path names.
func (h *Handler) open(ctx context.Context, path, caller string) (opened channel.Opened, err error) {
	channelID, err := uuid.Parse(strings.TrimPrefix(path, Path))
	if err != nil {
		return opened, inbound.ErrNoChannel
	}
	missing := error(nil)
	err = h.lookups.Do(ctx, caller, sha256.Sum256(channelID[:]), func(ctx context.Context) (bool, error) {
		var err error
		opened, err = h.engine.Open(ctx, channelID)
		if errors.Is(err, inbound.ErrNoChannel) {
			missing = err
			return false, nil
		}
		return err == nil, err
	})
	return opened, errors.Join(err, missing)
}

// refuse responds to a request that was not stored.
func (h *Handler) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	if exceeded, ok := errors.AsType[*ratelimit.ExceededError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(max(exceeded.ResetAfter, time.Second).Seconds())))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch {
	case errors.Is(err, inbound.ErrNoChannel):
		w.WriteHeader(http.StatusNotFound)
	case errors.Is(err, provider.ErrUnauthenticated):
		w.WriteHeader(http.StatusUnauthorized)
	case errors.Is(err, live.ErrFull):
		w.WriteHeader(http.StatusServiceUnavailable)
	case errors.Is(err, provider.ErrMalformed), errors.Is(err, errBody):
		w.WriteHeader(http.StatusBadRequest)
	default:
		h.log.ErrorContext(ctx, "a channel's request was not stored", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

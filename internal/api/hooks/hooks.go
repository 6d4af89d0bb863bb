// Package hooks serves /hooks/{channelId}, which the providers of channels call. It knows
// bytes and limits; the channel's type knows what the bytes mean.
package hooks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

const (
	// Path is the path of a channel's hook; the channel's ID follows.
	Path = "/hooks/"
	// maxBody is the longest request, in bytes: an email with attachments.
	maxBody = 25 << 20
	// timeout bounds a request. Providers expect a response within seconds.
	timeout = 10 * time.Second
)

var (
	// perChannel bounds the requests to one hook, so that one channel's provider does not
	// delay those of others.
	perChannel = ratelimit.Limit{Requests: 3000, Window: time.Minute}
	// perAddress bounds the requests of one address that are not authentic.
	perAddress = ratelimit.Limit{Requests: 120, Window: time.Minute}
)

// Engine stores what a request contains. An *inbound.Engine does.
type Engine interface {
	Handle(ctx context.Context, channelID uuid.UUID, request provider.Request) (*provider.Reply, error)
}

// Handler serves the hooks.
type Handler struct {
	Engine  Engine
	Limiter ratelimit.Limiter
	Clock   clock.Clock
	Log     *slog.Logger
	// ClientIP returns the IP address of the client.
	ClientIP func(*http.Request) string
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
	channelID, err := uuid.Parse(strings.TrimPrefix(r.URL.Path, Path))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if wait, err := h.limit(ctx, "hook "+channelID.String(), perChannel); err != nil || wait > 0 {
		tooMany(w, wait, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	} else if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	reply, err := h.Engine.Handle(ctx, channelID, provider.Request{
		Method: r.Method, Header: r.Header, Query: r.URL.Query(), Body: body, ReceivedAt: h.Clock.Now(),
	})
	h.respond(ctx, w, r, reply, err)
}

func (h *Handler) respond(ctx context.Context, w http.ResponseWriter, r *http.Request, reply *provider.Reply, err error) {
	switch {
	case err == nil && reply == nil:
		w.WriteHeader(http.StatusOK)
	case err == nil:
		w.Header().Set("Content-Type", reply.ContentType)
		w.WriteHeader(reply.Status)
		_, _ = w.Write(reply.Body) //nolint:gosec // of the channel's type, with its media type and nosniff
	case errors.Is(err, inbound.ErrNoChannel), errors.Is(err, provider.ErrUnauthenticated):
		if wait, err := h.limit(ctx, "hook refused "+ratelimit.Network(h.ClientIP(r)), perAddress); err != nil || wait > 0 {
			tooMany(w, wait, err)
			return
		}
		if errors.Is(err, inbound.ErrNoChannel) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	case errors.Is(err, provider.ErrMalformed):
		w.WriteHeader(http.StatusBadRequest)
	default:
		h.Log.ErrorContext(ctx, "a channel's request was not stored", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// limit counts a request, and returns how long to wait if there were too many.
func (h *Handler) limit(ctx context.Context, key string, limit ratelimit.Limit) (time.Duration, error) {
	taken, err := h.Limiter.Take(ctx, key, limit)
	if err != nil || taken.Allowed {
		return 0, err
	}
	return max(taken.ResetAfter, time.Second), nil
}

func tooMany(w http.ResponseWriter, wait time.Duration, err error) {
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	w.WriteHeader(http.StatusTooManyRequests)
}

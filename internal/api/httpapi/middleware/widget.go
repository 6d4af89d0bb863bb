package middleware

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// WidgetPath is where the paths of the chat widget begin.
const WidgetPath = spec.BasePath + "/widget/"

// Visitors are the visitors of the chat widget.
type Visitors interface {
	// Verify returns the session of a token, or widget.ErrSession.
	Verify(token string) (*widget.Session, error)
	// Channel returns a channel of the widget, or postgres.ErrNotFound.
	Channel(ctx context.Context, channelID uuid.UUID) (widget.Channel, error)
	// Allow returns widget.ErrOrigin if a channel does not allow requests from a page.
	Allow(c widget.Channel, origin, host string) error
}

// authenticateVisitor sets the call's session, or returns widget.ErrSession. It does not
// use the database.
func (g *Gate) authenticateVisitor(r *http.Request, call *Call) error {
	plaintext, ok := bearer(r)
	if !ok || call.Operation.Public || g.Visitors == nil {
		return widget.ErrSession
	}
	var err error
	call.Session, err = g.Visitors.Verify(plaintext)
	return err
}

// admitVisitor rejects visitors whose channel is gone, and pages that it does not allow.
func (g *Gate) admitVisitor(ctx context.Context, call *Call) (err error) {
	call.Channel, err = g.Visitors.Channel(ctx, call.Session.ChannelID)
	if errors.Is(err, postgres.ErrNotFound) {
		return widget.ErrSession
	} else if err != nil {
		return err
	}
	return AllowOrigin(ctx, g.Visitors, call.Channel)
}

// widgetBucket returns the limit of an operation of the widget.
func (g *Gate) widgetBucket(c echo.Context, call *Call) (class spec.RateClass, key string) {
	class = g.Document.RateLimits[call.Operation.RateClass]
	switch {
	case class.PerIP:
		return class, class.Name + " ip " + ratelimit.Network(c.RealIP())
	case call.Session == nil:
		return g.Document.RateLimits["anonymous"], "ip " + ratelimit.Network(c.RealIP())
	}
	return class, class.Name + " " + call.Session.Topic().String() + " " + call.Operation.Route()
}

// exposed are the headers that scripts of other origins can read.
const exposed = "Link, Retry-After, X-Next-Cursor, X-Request-Id"

// AllowOrigin lets the page that sent the request read the response, or returns
// widget.ErrOrigin if the channel does not allow it.
func AllowOrigin(ctx context.Context, visitors Visitors, channel widget.Channel) error {
	c := CallFrom(ctx).echo
	origin := c.Request().Header.Get("Origin")
	if err := visitors.Allow(channel, origin, c.Request().Host); err != nil {
		return err
	}
	if origin != "" {
		c.Response().Header().Set("Access-Control-Allow-Origin", origin)
		c.Response().Header().Set("Access-Control-Expose-Headers", exposed)
	}
	return nil
}

// WidgetCORS responds to preflight requests for the widget. They name neither a channel nor
// a session, so the origin is checked with the request itself, and only an allowed one can
// read the response.
func WidgetCORS(allowedHeaders []string, maxAge int) echo.MiddlewareFunc {
	headers, age := strings.Join(append(allowedHeaders, "Last-Event-ID"), ", "), strconv.Itoa(maxAge)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if !strings.HasPrefix(r.URL.Path, WidgetPath) {
				return next(c)
			}
			header := c.Response().Header()
			header.Add("Vary", "Origin")
			if r.Method != http.MethodOptions {
				return next(c)
			}
			if origin := r.Header.Get("Origin"); origin != "" {
				header.Set("Access-Control-Allow-Origin", origin)
				header.Set("Access-Control-Allow-Methods", "GET, POST")
				header.Set("Access-Control-Allow-Headers", headers)
				header.Set("Access-Control-Max-Age", age)
			}
			return c.NoContent(http.StatusNoContent)
		}
	}
}

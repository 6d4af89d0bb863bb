// Package httpapi serves the API over HTTP. It implements the generated server interface,
// one file per tag, and assembles the middleware.
package httpapi

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/github.com/labstack/echo/otelecho"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/openapi"
)

// Dependencies are the parts that the API needs.
type Dependencies struct {
	Document      *spec.Document
	Leads         *lead.Service
	Conversations *conversation.Service
	Agents        *agent.Service
	Evaluations   *evaluator.Service
	Models        *modelprovider.Service
	Spending      *spending.Service
	Channels      *channel.Service
	Contacts      *contact.Service
	Blobs         blob.Store
	Analytics     *analytics.Service
	Integrations  *integration.Service
	Events        *event.Feed
	Knowledge     *knowledge.Service
	Audit         *audit.Log
	Idempotency   *idempotency.Store
	Widget        *widget.Service
	Streams       *widget.Streams
	Authenticator middleware.Authenticator
	Limiter       ratelimit.Limiter
	Clock         clock.Clock
	Log           *slog.Logger
	Metrics       prometheus.Registerer
	// PublicURL is the origin at which clients reach the server, without a path. If it is
	// empty, links are relative.
	PublicURL string
	// ClientIP returns the IP address of the client.
	ClientIP       func(*http.Request) string
	RequestTimeout time.Duration
	Tracing        bool
}

// service implements all operations, with one embedded struct per tag.
type service struct {
	*leads
	*conversations
	*agents
	*modelProviders
	*modelBudget
	*channels
	*contacts
	*analyticsTag
	*knowledgeTag
	*webhooks
	*widgetTag
	*meta
}

var _ api.StrictServerInterface = (*service)(nil)

const (
	corsMaxAge    = 24 * 60 * 60 // seconds
	serviceName   = "convo"
	defaultOrigin = "https://api.avelto.pl"
)

// New returns the API's handler. It returns an error if the routes and the operations of
// the document differ.
func New(d Dependencies) (http.Handler, error) {
	links := linker{publicURL: d.PublicURL}
	all := &service{
		leads: &leads{d.Leads, d.Audit, links}, conversations: &conversations{d.Conversations, d.Channels, d.Audit, d.Blobs, links},
		agents: &agents{d.Agents, d.Evaluations, d.Audit, links}, modelProviders: &modelProviders{d.Models, d.Audit}, modelBudget: &modelBudget{d.Spending, d.Audit}, channels: &channels{d.Channels, d.Audit, links}, contacts: &contacts{d.Contacts, d.Audit, links},
		analyticsTag: &analyticsTag{d.Analytics}, knowledgeTag: &knowledgeTag{service: d.Knowledge, log: d.Audit, links: links, maxUpload: maxUpload(d.Document)}, webhooks: &webhooks{d.Integrations, d.Audit, d.Events, links},
		widgetTag: &widgetTag{d.Widget, d.Streams, links},
		meta:      newMeta(d.Document.JSON, openapi.Postman, links),
	}
	e := echo.New()
	e.IPExtractor = d.ClientIP
	chain(e, d)
	api.RegisterHandlersWithBaseURL(e, api.NewStrictHandler(all, nil), spec.BasePath)
	if err := agree(e, d.Document); err != nil {
		return nil, err
	}
	compressed, err := middleware.Compress(headAsGet(e))
	return apart(eventsPath, e, compressed), err
}

// eventsPath is the path of a stream that lasts.
const eventsPath = spec.BasePath + "/widget/events"

// apart handles one path differently.
func apart(path string, handler, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			handler.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// maxUpload returns the maximum size of an uploaded file, in bytes.
func maxUpload(document *spec.Document) int64 {
	for _, operation := range document.Operations {
		if operation.ID == "uploadKnowledge" {
			return operation.MaxBody
		}
	}
	return 0
}

// newWriter returns what writes problem documents, whose types are pages of the documentation.
func newWriter(document *spec.Document, publicURL string) *problem.Writer {
	return &problem.Writer{Kinds: document.Errors, Docs: cmp.Or(publicURL, defaultOrigin) + "/docs/errors/"}
}

// chain adds the middleware. Pre runs before Echo matches the route, Use after.
func chain(e *echo.Echo, d Dependencies) {
	writer := newWriter(d.Document, d.PublicURL)
	gate := &middleware.Gate{Document: d.Document, Authenticator: d.Authenticator, Visitors: d.Widget, Limiter: d.Limiter, Clock: d.Clock}
	e.Pre(middleware.Begin(d.RequestTimeout, writer, middleware.NewObserver(d.Log, d.Metrics).Report))
	if d.Tracing {
		e.Use(otelecho.Middleware(serviceName))
	}
	e.Use(
		middleware.WidgetCORS(allowedHeaders(), corsMaxAge),
		echomiddleware.CORSWithConfig(echomiddleware.CORSConfig{
			Skipper:      func(c echo.Context) bool { return strings.HasPrefix(c.Request().URL.Path, middleware.WidgetPath) },
			AllowOrigins: []string{"*"}, AllowHeaders: allowedHeaders(), ExposeHeaders: exposedHeaders(d.Document), MaxAge: corsMaxAge,
			AllowMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete},
		}),
		gate.Admit,
		middleware.Validate(d.Document),
		middleware.Idempotent(d.Idempotency),
	)
}

// agree checks that each operation has a route and each route an operation, because the
// middleware looks up operations by route.
func agree(e *echo.Echo, document *spec.Document) error {
	routed := map[*spec.Operation]bool{}
	for _, route := range e.Routes() {
		operation := document.Find(route.Method, route.Path)
		if operation == nil {
			return fmt.Errorf("route %s %s is not in the document", route.Method, route.Path)
		}
		routed[operation] = true
	}
	for _, operation := range document.All() {
		if !routed[operation] {
			return fmt.Errorf("operation %s has no route", operation.ID)
		}
	}
	return nil
}

// headAsGet handles HEAD requests like GET. net/http omits the body.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}

package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/avelto/convo/internal/api/console"
	"github.com/avelto/convo/internal/api/docs"
	"github.com/avelto/convo/internal/api/hooks"
	"github.com/avelto/convo/internal/api/httpapi"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/api/widget"
)

// newHandler serves the API, the documentation and the console.
func newHandler(config Config, parts Parts, document *spec.Document, domain *services, metrics prometheus.Registerer) (http.Handler, error) {
	clientIP, err := config.clientIP()
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Dependencies{
		Document: document, Log: parts.Log, Metrics: metrics, Clock: parts.Clock, Limiter: parts.Limiter,
		Authenticator: domain.authenticator, Idempotency: domain.idempotency, Audit: domain.auditLog,
		Leads: domain.leads, Conversations: domain.conversations, Agents: domain.agents, Evaluations: domain.evaluations, Models: domain.models, Spending: domain.spending, Channels: domain.channels, Contacts: domain.contacts, Blobs: domain.blobs,
		Analytics: domain.analytics, Integrations: domain.integrations, Knowledge: domain.knowledge, Events: domain.events,
		Widget: domain.widget, Streams: domain.streams,
		PublicURL: config.PublicURL, ClientIP: clientIP, RequestTimeout: config.RequestTimeout, Tracing: parts.Tracing,
	})
	if err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	pages, err := console.New(console.Dependencies{
		DB: parts.DB, Log: parts.Log, Clock: parts.Clock, Limiter: parts.Limiter, Document: document, Sessions: domain.sessions,
		Users: domain.users, Tokens: domain.tokens, Integrations: domain.integrations, Analytics: domain.analytics,
		Audit: domain.auditLog, Channels: domain.channels, Conversations: domain.conversations, Contacts: domain.contacts, Leads: domain.leads, Streams: domain.inbox,
		Simulators: parts.Simulators, ClientIP: clientIP, PublicURL: config.PublicURL,
	})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	chat, err := widget.New(widget.Dependencies{
		Channels: domain.widget, Limiter: parts.Limiter, Limit: document.RateLimits["anonymous"].Limit, ClientIP: clientIP, Demo: parts.Demo,
	})
	if err != nil {
		return nil, fmt.Errorf("chat widget: %w", err)
	}
	return withPages(api, pages, chat, domain.hooks, config, parts.Log), nil
}

// withPages routes the paths of HTML pages, their assets and the hooks of channels; all
// other paths belong to the API.
func withPages(api, pages, chat, received http.Handler, config Config, log *slog.Logger) http.Handler {
	options := web.Options{Log: log, Timeout: config.RequestTimeout, HTTPS: strings.HasPrefix(config.PublicURL, "https://"), Fault: func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Something went wrong on our side. Request "+web.RequestID(r.Context())+".", http.StatusInternalServerError)
	}}
	site := web.Pages(options, docs.NewSite(config.PublicURL))
	app := web.Pages(options, pages)
	chat = web.Pages(options, chat)
	assets := web.Pages(options, http.HandlerFunc(web.Assets))
	received = web.Pages(options, received)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/":
			http.Redirect(w, r, docs.Path, http.StatusSeeOther)
		case below(path, docs.Path):
			site.ServeHTTP(w, r)
		case below(path, console.Path):
			app.ServeHTTP(w, r)
		case widget.Covers(path):
			chat.ServeHTTP(w, r)
		case strings.HasPrefix(path, hooks.Path):
			received.ServeHTTP(w, r)
		case strings.HasPrefix(path, web.AssetsPath):
			assets.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// below reports whether path is root or a path under it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

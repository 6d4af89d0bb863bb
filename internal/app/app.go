package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/console"
	"github.com/avelto/convo/internal/api/httpapi"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// App is a server and the loops that it needs beside it. A process may hold
// several.
type App struct {
	// Handler serves the API, health and metrics.
	Handler http.Handler
	// Tokens creates and revokes tokens.
	Tokens *token.Service
	// Scopes are all that a token can carry.
	Scopes []api.Scope

	document *spec.Document // nil where nothing is served
	log      *slog.Logger
	redis    *redis.Client
	health   *health
	loops    []func(context.Context)
}

// Parts are what an App is built on. Limiter is nil but for tests.
type Parts struct {
	DB      *postgres.DB
	Key     []byte
	Log     *slog.Logger
	Clock   clock.Clock
	Limiter ratelimit.Limiter
	Tracing bool
	Workers bool // work too, beside serving
	// ExtractBinary reads files (see extract.Runner); empty for this very program.
	ExtractBinary string
}

// New builds an App; the database must have the newest schema.
func New(ctx context.Context, config Config, parts Parts) (*App, error) {
	config.PublicURL = strings.TrimRight(config.PublicURL, "/")
	document, err := spec.Published()
	if err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	jobs, err := river.NewClient(riverpgxv5.New(parts.DB.Pool()), &river.Config{Schema: db.RiverSchema, Logger: warnings(parts.Log)})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	a := &App{Scopes: document.Scopes, document: document, log: parts.Log, health: &health{db: parts.DB}}
	uses := token.NewUses(parts.DB)
	authenticator := token.NewAuthenticator(parts.DB, parts.Clock, uses)
	a.loops = append(a.loops, func(ctx context.Context) { authenticator.Listen(ctx, parts.Log) },
		func(ctx context.Context) { uses.Run(ctx, parts.Log) })
	if err := a.limits(config, &parts); err != nil {
		return nil, err
	}
	registry := newRegistry(parts.DB)
	out, err := newOutbound(ctx, config, parts.Key, parts.Clock)
	if err != nil {
		return nil, err
	}
	if parts.Workers {
		if err := a.work(ctx, config, parts, out, registry); err != nil {
			return nil, err
		}
	}
	clientIP, err := config.clientIP()
	if err != nil {
		return nil, err
	}
	ids, pages := id.NewGenerator(parts.Clock), page.NewCodec(parts.Key)
	a.Tokens = &token.Service{DB: parts.DB, IDs: ids, Clock: parts.Clock}
	recorder, err := a.record(ctx, parts, ids)
	if err != nil {
		return nil, err
	}
	figures := &analytics.Service{DB: parts.DB, Clock: parts.Clock}
	integrations := &integration.Service{
		DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: pages, Types: document.Events, Guard: out.guard, Box: out.box, Sender: out.sender,
	}
	handler, err := httpapi.New(httpapi.Dependencies{
		Document: document, Log: parts.Log, Metrics: registry, Clock: parts.Clock, Limiter: parts.Limiter,
		Authenticator: authenticator, Idempotency: &idempotency.Store{DB: parts.DB, Clock: parts.Clock},
		Leads:         &lead.Service{DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: pages},
		Conversations: &conversation.Service{DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: pages, Jobs: jobs},
		Agents:        &agent.Service{DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: pages},
		Channels:      &channel.Service{DB: parts.DB, Pages: pages},
		Analytics:     figures, Integrations: integrations, Audit: recorder,
		Knowledge: &knowledge.Service{
			DB: parts.DB, IDs: ids, Clock: parts.Clock, Pages: pages, Blobs: out.blobs, Guard: out.guard, Jobs: jobs,
		},
		Events:    &event.Feed{DB: parts.DB, Types: document.Events},
		PublicURL: config.PublicURL, ClientIP: clientIP,
		RequestTimeout: config.RequestTimeout, Tracing: parts.Tracing,
	})
	if err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	behindSignIn, err := console.New(console.Dependencies{
		DB: parts.DB, Tokens: a.Tokens, Integrations: integrations, Analytics: figures, Recorder: recorder,
		Users: &user.Service{DB: parts.DB, IDs: ids, Clock: parts.Clock, Hasher: user.NewHasher()},
		Audit: &audit.Log{DB: parts.DB, IDs: ids}, Limiter: parts.Limiter, Clock: parts.Clock, Log: parts.Log,
		Document: document, ClientIP: clientIP, PublicURL: config.PublicURL,
	})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	a.Handler = a.health.mount(withPages(handler, behindSignIn, config, parts.Log), registry)
	return a, nil
}

// record starts what writes the audit log of tokens, on a connection of its own.
func (a *App) record(ctx context.Context, parts Parts, ids *id.Generator) (*audit.Recorder, error) {
	apart, err := parts.DB.Apart(ctx, 1)
	if err != nil {
		return nil, err
	}
	recorder := audit.NewRecorder(apart, ids)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer apart.Close()
		recorder.Run(ctx, parts.Log)
	})
	return recorder, nil
}

func newRegistry(on *postgres.DB) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newPoolCollector(on.Pool()))
	return registry
}

// NewWorker builds an App that serves health and metrics alone, and works.
func NewWorker(ctx context.Context, config Config, parts Parts) (*App, error) {
	a := &App{log: parts.Log, health: &health{db: parts.DB}}
	registry := newRegistry(parts.DB)
	out, err := newOutbound(ctx, config, parts.Key, parts.Clock)
	if err != nil {
		return nil, err
	}
	if err := a.work(ctx, config, parts, out, registry); err != nil {
		return nil, err
	}
	a.Handler = a.health.mount(http.NotFoundHandler(), registry)
	return a, nil
}

// limits chooses where requests are counted.
func (a *App) limits(config Config, parts *Parts) error {
	if parts.Limiter != nil {
		return nil
	}
	inProcess := ratelimit.NewMemory(parts.Clock)
	parts.Limiter = inProcess
	if config.RedisURL == "" {
		return nil
	}
	client, err := ratelimit.OpenRedis(config.RedisURL)
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	shared := ratelimit.NewShared(ratelimit.NewRedis(client), inProcess, parts.Log)
	a.redis, parts.Limiter = client, shared
	a.loops = append(a.loops, shared.Run)
	return nil
}

// Run runs the loops beside the server until ctx ends, and returns when they have
// put away what they held.
func (a *App) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, loop := range a.loops {
		loops.Go(func() { loop(ctx) })
	}
	loops.Wait()
	if a.redis != nil {
		if err := a.redis.Close(); err != nil {
			a.log.WarnContext(ctx, "Redis client not closed", "error", err)
		}
	}
}

// Slim gives back the memory that only the start needed. It is for a process that
// is a server and nothing else: the document is that of the whole process.
func (a *App) Slim() {
	if a.document != nil {
		a.document.Forget()
	}
	debug.FreeOSMemory()
	if err := forgetBinary(); err != nil {
		a.log.Warn("memory of the start kept", "error", err)
	}
}

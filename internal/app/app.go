// Package app puts the parts together into a running server.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/platform/rawhttp"
	"github.com/avelto/convo/internal/platform/wake"
)

// App is an HTTP handler and the background loops that belong to it. A process may
// hold several.
type App struct {
	// Handler serves the API, the pages and health.
	Handler http.Handler
	// Ops serves metrics and profiles, at OpsAddr unless that is empty.
	Ops     http.Handler
	OpsAddr string
	// Tokens creates and revokes tokens; nil for a worker.
	Tokens *token.Service
	// Channels reads and changes channels; nil for a worker.
	Channels *channel.Service
	// Scopes are all scopes that a token can have; empty for a worker.
	Scopes []api.Scope

	health *health
	// unparsed responds to requests that net/http cannot parse; nil for a worker.
	unparsed rawhttp.Respond
	loops    []loop
	// bell wakes the workers, and channels are what the process listens to in the database.
	bell     *wake.Bell
	live     *fanout.Hub // what shows conversations live
	channels []postgres.Channel
	// opened closes what belongs to the loops, in case a constructor fails and they never run.
	opened []func()
}

// loop runs until ctx ends, then finishes its work in progress and returns.
type loop func(ctx context.Context)

// Parts are the dependencies of an App.
type Parts struct {
	DB  *postgres.DB
	Key []byte // secret, at least 32 bytes; see ParseKeys
	// OldKeys open what was encrypted or signed before Key was introduced.
	OldKeys [][]byte
	Log     *slog.Logger
	Clock   clock.Clock
	// Limiter replaces the rate limiter in tests; nil for the configured one.
	Limiter ratelimit.Limiter
	// Providers replace the channel types in tests; nil for those of this build.
	Providers provider.Registry
	// Models replace the model providers in tests; nil for those of this build.
	Models model.Registry
	// Demo serves a page with the chat widget on it.
	Demo bool
	// Simulators act as the providers of channels, and have a page in the console; nil outside
	// of convo dev.
	Simulators *simulator.Set

	Tracing bool
	Workers bool // run the workers in this process too
	// Poll is how often workers look for work that they were not woken for; 0 for a second.
	Poll time.Duration
	// ExtractBinary reads files (see extract.Runner); empty for this very program.
	ExtractBinary string
}

// New builds a server, with workers if Parts.Workers is set. The database must have
// the newest schema. Nothing runs before Serve or Run.
func New(ctx context.Context, config Config, parts Parts) (_ *App, err error) {
	config.PublicURL = strings.TrimRight(config.PublicURL, "/")
	document, err := spec.Published()
	if err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	a := &App{Scopes: document.Scopes, bell: wake.NewBell()}
	defer func() { a.release(err) }()
	if a.health, err = a.newHealth(ctx, parts); err != nil {
		return nil, err
	}
	registry, lookups := newRegistry(parts.DB), newLookups(parts, document)
	if parts.Limiter == nil {
		if parts.Limiter, err = a.newLimiter(config, parts); err != nil {
			return nil, err
		}
	}
	out, err := newConnections(ctx, config, parts)
	if err != nil {
		return nil, err
	}
	if err := a.addLive(config, parts); err != nil {
		return nil, err
	}
	if parts.Workers {
		if err := a.addWorkers(ctx, config, parts, out, registry); err != nil {
			return nil, err
		}
	}
	domain, err := a.newServices(ctx, config, parts, document, out, lookups)
	if err != nil {
		return nil, err
	}
	a.Tokens, a.Channels = domain.tokens, domain.channels
	handler, err := newHandler(config, parts, document, domain, registry)
	if err != nil {
		return nil, err
	}
	a.Handler = a.health.mount(handler)
	a.unparsed = httpapi.Unparsed(document, config.PublicURL, parts.Log)
	a.addNotifications(parts)
	return a, a.addOps(ctx, config, parts, registry)
}

// NewWorker builds an App that runs the workers and serves health, metrics and profiles only.
func NewWorker(ctx context.Context, config Config, parts Parts) (_ *App, err error) {
	a := &App{bell: wake.NewBell()}
	defer func() { a.release(err) }()
	registry := newRegistry(parts.DB)
	out, err := newConnections(ctx, config, parts)
	if err != nil {
		return nil, err
	}
	if err := a.addLive(config, parts); err != nil {
		return nil, err
	}
	if a.health, err = a.newHealth(ctx, parts); err != nil {
		return nil, err
	}
	if err := a.addWorkers(ctx, config, parts, out, registry); err != nil {
		return nil, err
	}
	a.Handler = a.health.mount(http.NotFoundHandler())
	a.addNotifications(parts)
	return a, a.addOps(ctx, config, parts, registry)
}

// release closes what the constructors have opened, if one of them has failed.
func (a *App) release(err error) {
	if err == nil {
		return
	}
	for _, closeOne := range slices.Backward(a.opened) {
		closeOne()
	}
}

func newRegistry(on *postgres.DB) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newPoolCollector(on.Pool()))
	return registry
}

// Run runs the background loops until ctx ends, and returns when all have finished their
// work in progress. End ctx only after the last request, because requests create work for
// the loops.
func (a *App) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, run := range a.loops {
		running.Go(func() { run(ctx) })
	}
	running.Wait()
}

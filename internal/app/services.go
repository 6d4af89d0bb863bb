package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/api/console"
	"github.com/avelto/convo/internal/api/hooks"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
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
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/platform/share"
)

// reportConns is the pool of analytics and exports. A workspace uses two of its connections
// at most.
const reportConns = 3

// providerCallsPerWorkspace is how many requests of a workspace may call the providers of its
// channels at a time. maxWaitingProviderCalls more wait.
const providerCallsPerWorkspace, maxWaitingProviderCalls = 8, 64

// services holds the domain services that the API and the console use.
type services struct {
	leads         *lead.Service
	conversations *conversation.Service
	hooks         *hooks.Handler
	agents        *agent.Service
	evaluations   *evaluator.Service
	models        *modelprovider.Service
	spending      *spending.Service
	channels      *channel.Service
	contacts      *contact.Service
	blobs         blob.Store
	analytics     *analytics.Service
	integrations  *integration.Service
	knowledge     *knowledge.Service
	widget        *widget.Service
	streams       *widget.Streams
	inbox         *console.Streams
	events        *event.Feed
	idempotency   *idempotency.Store
	tokens        *token.Service
	authenticator *token.Authenticator
	users         *user.Service
	sessions      *user.Sessions
	auditLog      *audit.Log
}

// newServices builds the domain services, and adds the loops that they need to the app.
func (a *App) newServices(ctx context.Context, config Config, parts Parts, document *spec.Document, out *connections, lookups *ratelimit.Lookups) (*services, error) {
	// This client only inserts jobs; workers have one of their own.
	jobs, err := river.NewClient(riverpgxv5.New(parts.DB.Pool()), &river.Config{Schema: db.RiverSchema, Logger: warnings(parts.Log)})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	on, now := parts.DB, parts.Clock
	ids, pages := id.NewGenerator(now), page.NewCodec(parts.Key, parts.OldKeys...)
	reports, err := a.openReports(ctx, parts)
	if err != nil {
		return nil, err
	}
	events, reportShares := a.newEventRecorder(ids), &share.Shares{}
	conversations := a.newConversations(parts, out)
	received, err := a.newHooks(config, parts, out, conversations)
	if err != nil {
		return nil, err
	}
	received.Audit = &audit.Log{DB: on, Reports: reports, Shares: reportShares, IDs: ids}
	received.Channels = &channel.Service{
		DB: on, IDs: ids, Clock: now, Pages: pages, Opener: out.channels, Guard: out.guard, Schema: validation.ChannelSettings(document),
		Jobs: jobs, Log: parts.Log, Calls: &share.Shares{PerWorkspace: providerCallsPerWorkspace, MaxWaiting: maxWaitingProviderCalls},
	}
	chat, streams, err := a.newWidget(config, parts, document, out, conversations)
	if err != nil {
		return nil, err
	}
	return &services{
		hooks: received, widget: chat, streams: streams, inbox: a.newInbox(parts),
		leads:         &lead.Service{DB: on, IDs: ids, Clock: now, Pages: pages, Events: events},
		conversations: conversations,
		contacts:      &contact.Service{DB: on, Clock: now, Pages: pages, Events: events, Conversations: conversations, Jobs: jobs},
		blobs:         out.blobs,
		agents: &agent.Service{
			DB: on, IDs: ids, Clock: now, Pages: pages, Engine: newReplies(on, parts, out),
			Previews: &share.Shares{PerWorkspace: previewsPerWorkspace, MaxWaiting: maxWaitingPreviews, MaxWait: maxPreviewWait},
		},
		evaluations: &evaluator.Service{DB: on, IDs: ids, Clock: now, Pages: pages, Bell: a.bell},
		models:      &modelprovider.Service{DB: on, Clock: now, Box: out.box, Guard: out.guard},
		spending:    &spending.Service{DB: on, Clock: now},
		channels:    received.Channels,
		analytics:   &analytics.Service{DB: reports, Clock: now, Shares: reportShares},
		integrations: &integration.Service{
			DB: on, IDs: ids, Clock: now, Pages: pages, Events: events, Types: document.Events,
			Guard: out.guard, Box: out.box, Sender: out.sender, Bell: a.bell, Jobs: jobs,
		},
		knowledge: &knowledge.Service{
			DB: on, IDs: ids, Clock: now, Pages: pages, Blobs: out.blobs, Guard: out.guard, Jobs: jobs, Log: parts.Log, Bell: a.bell,
			MaxUploads: cmp.Or(config.MaxUploads, defaultMaxUploads), MaxCrawls: cmp.Or(config.MaxCrawls, defaultMaxCrawls),
		},
		events:        &event.Feed{DB: on, Types: document.Events},
		idempotency:   &idempotency.Store{DB: on, Clock: now},
		tokens:        &token.Service{DB: on, IDs: ids, Clock: now},
		authenticator: a.newAuthenticator(parts, lookups),
		users:         &user.Service{DB: on, IDs: ids, Clock: now, Hasher: user.NewHasher()},
		sessions:      &user.Sessions{DB: on, Lookups: lookups},
		auditLog:      received.Audit,
	}, nil
}

// newWidget returns the service of the chat widget and its streams, which end with the app's
// loops.
func (a *App) newWidget(config Config, parts Parts, document *spec.Document, out *connections, conversations *conversation.Service) (*widget.Service, *widget.Streams, error) {
	tokens, err := widget.NewTokens(parts.Clock, parts.Key, parts.OldKeys...)
	if err != nil {
		return nil, nil, err
	}
	chat := &widget.Service{
		DB: parts.DB, IDs: conversations.IDs, Clock: parts.Clock, Pages: conversations.Pages, Tokens: tokens, Opener: out.channels,
		Conversations: conversations, Blobs: out.blobs, Hub: a.live, Limiter: parts.Limiter,
		NewConversations: document.RateLimits["widget-conversations"].Limit, NewFiles: document.RateLimits["widget-files"].Limit, PublicURL: config.PublicURL,
	}
	streams := widget.NewStreams(chat, parts.Log)
	a.loops = append(a.loops, streams.Run)
	return chat, streams, nil
}

// newInbox returns the streams of the console, which end with the app's loops.
func (a *App) newInbox(parts Parts) *console.Streams {
	streams := console.NewStreams(a.live, parts.Log)
	a.loops = append(a.loops, streams.Run)
	return streams
}

// newEventRecorder returns a recorder that stores events as the API shows them.
func (a *App) newEventRecorder(ids *id.Generator) *event.Recorder {
	return &event.Recorder{IDs: ids, Encode: representation.EncodeEvent, Bell: a.bell}
}

// newAuthenticator returns the authenticator of tokens. It listens for revoked tokens, and
// its loop writes when each token was last used.
func (a *App) newAuthenticator(parts Parts, lookups *ratelimit.Lookups) *token.Authenticator {
	uses := token.NewUses(parts.DB)
	authenticator := token.NewAuthenticator(parts.DB, parts.Clock, uses, lookups)
	a.channels = append(a.channels, authenticator.Channel())
	a.loops = append(a.loops, func(ctx context.Context) { uses.Run(ctx, parts.Log) })
	return authenticator
}

// openReports opens the pool of analytics and exports.
func (a *App) openReports(ctx context.Context, parts Parts) (*postgres.DB, error) {
	own, err := parts.DB.Apart(ctx, reportConns)
	if err != nil {
		return nil, err
	}
	a.opened = append(a.opened, own.Close)
	a.loops = append(a.loops, func(ctx context.Context) {
		<-ctx.Done()
		own.Close()
	})
	return own, nil
}

// Package console serves the pages that require signing in: API tokens, webhooks, the
// audit log and analytics of a workspace.
package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// Path is the root path of the console.
const Path = "/app"

// homePath is the page that the console opens with.
const homePath = inboxPath

const (
	sessionLife = 24 * time.Hour
	sessionIdle = 4 * time.Hour
	maxForm     = 64 << 10 // bytes
)

// Dependencies holds the services that the console uses.
type Dependencies struct {
	DB           *postgres.DB
	Users        *user.Service
	Tokens       *token.Service
	Integrations *integration.Service
	Analytics    *analytics.Service
	Audit        *audit.Log
	Channels     *channel.Service
	// Conversations, Contacts and Leads are those of the inbox, and Streams its open streams.
	Conversations *conversation.Service
	Contacts      *contact.Service
	Leads         *lead.Service
	Streams       *Streams
	Limiter       ratelimit.Limiter
	Sessions      *user.Sessions
	Clock         clock.Clock
	Log           *slog.Logger
	// Document defines the scopes, events and rate limits.
	Document  *spec.Document
	ClientIP  func(*http.Request) string
	PublicURL string
	// Simulators act as the providers of channels. They have a page unless they are nil.
	Simulators *simulator.Set
}

// console serves the pages.
type console struct {
	Dependencies

	sessions  *scs.SessionManager
	templates *web.Templates
	scopes    []scopeChoice
	signIns   spec.RateClass
}

type scopeChoice struct {
	Name        api.Scope
	Description string
}

// New returns the handler of the console.
func New(d Dependencies) (http.Handler, error) {
	c := &console{Dependencies: d, sessions: newSessions(d), signIns: d.Document.RateLimits["sign-in"]}
	descriptions := d.Document.ScopeDescriptions
	for _, scope := range d.Document.Scopes {
		c.scopes = append(c.scopes, scopeChoice{scope, descriptions[scope]})
	}
	c.templates = web.NewTemplates("console", template.FuncMap{
		"date": date, "action": actionName, "moment": moment, "tone": tone, "since": c.since, "status": statusName, "short": short, "percent": percent, "duration": duration,
		"expiries": func() []expiry { return expiries }, "granularities": func() []api.AnalyticsGranularity { return granularities },
		"groupings": func() []api.AnalyticsGroupBy { return groupings },
	})
	c.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { c.fail(w, r, visitor{}, err) }
	guard := http.NewCrossOriginProtection()
	if d.PublicURL != "" {
		if err := guard.AddTrustedOrigin(d.PublicURL); err != nil {
			return nil, errors.New("CONVO_PUBLIC_URL must be an origin, such as https://api.example.com")
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.renderError(w, r, visitor{}, http.StatusForbidden, "Cross-site request blocked", "The form was submitted from another site.")
	}))
	pages := http.NewServeMux()
	pages.HandleFunc("GET /app/inbox/{id}/events", c.streamConversation)
	pages.Handle("/", c.sessions.LoadAndSave(c.routes()))
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(w, r.WithContext(user.WithCaller(r.Context(), ratelimit.Network(d.ClientIP(r)))))
	})), nil
}

// sessionStore adds the methods without a context, which scs does not call, to the store.
type sessionStore struct {
	scs.Store
	*user.Sessions
}

func newSessions(d Dependencies) *scs.SessionManager {
	sessions := scs.New()
	// The maintenance job deletes expired sessions instead.
	sessions.Store = sessionStore{Sessions: d.Sessions}
	sessions.HashTokenInStore = true
	sessions.Lifetime, sessions.IdleTimeout = sessionLife, sessionIdle
	sessions.Cookie.Name, sessions.Cookie.Path = "convo_session", Path
	sessions.Cookie.HttpOnly, sessions.Cookie.SameSite = true, http.SameSiteLaxMode
	sessions.Cookie.Secure = strings.HasPrefix(d.PublicURL, "https://")
	sessions.Cookie.Persist = false
	return sessions
}

func (c *console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /app/sign-in", c.showSignIn)
	mux.HandleFunc("POST /app/sign-in", c.signIn)
	mux.HandleFunc("POST /app/sign-out", c.signedIn(c.signOut))
	mux.HandleFunc("POST /app/workspace", c.signedIn(c.switchWorkspace))
	mux.HandleFunc("GET /app/inbox", c.signedIn(c.showInbox))
	mux.HandleFunc("GET /app/inbox/{id}", c.signedIn(c.showConversation))
	mux.HandleFunc("POST /app/inbox/{id}/{action}", c.signedIn(c.changeConversation))
	mux.HandleFunc("GET /app/analytics", c.signedIn(c.showAnalytics))
	mux.HandleFunc("GET /app/settings/api-tokens", c.signedIn(c.listTokens))
	mux.HandleFunc("GET /app/settings/api-tokens/new", c.signedIn(c.newToken))
	mux.HandleFunc("POST /app/settings/api-tokens", c.signedIn(c.createToken))
	mux.HandleFunc("GET /app/settings/api-tokens/{id}/rotate", c.signedIn(c.askRotateToken))
	mux.HandleFunc("POST /app/settings/api-tokens/{id}/rotate", c.signedIn(c.rotateToken))
	mux.HandleFunc("GET /app/settings/api-tokens/{id}/revoke", c.signedIn(c.askRevokeToken))
	mux.HandleFunc("POST /app/settings/api-tokens/{id}/revoke", c.signedIn(c.revokeToken))
	mux.HandleFunc("GET /app/settings/webhooks", c.signedIn(c.listWebhooks))
	mux.HandleFunc("GET /app/settings/webhooks/new", c.signedIn(c.newWebhook))
	mux.HandleFunc("POST /app/settings/webhooks", c.signedIn(c.createWebhook))
	mux.HandleFunc("GET /app/settings/webhooks/{id}", c.signedIn(c.showWebhook))
	mux.HandleFunc("POST /app/settings/webhooks/{id}/test", c.signedIn(c.testWebhook))
	mux.HandleFunc("POST /app/settings/webhooks/{id}/status", c.signedIn(c.switchWebhook))
	mux.HandleFunc("POST /app/settings/webhooks/{id}/rotate-secret", c.signedIn(c.rotateSecret))
	mux.HandleFunc("POST /app/settings/webhooks/{id}/delete", c.signedIn(c.deleteWebhook))
	mux.HandleFunc("POST /app/settings/webhooks/{id}/deliveries/{delivery}/redeliver", c.signedIn(c.redeliver))
	mux.HandleFunc("GET /app/settings/members", c.signedIn(c.listMembers))
	mux.HandleFunc("GET /app/settings/members/{id}/remove", c.signedIn(c.askRemoveMember))
	mux.HandleFunc("POST /app/settings/members/{id}/remove", c.signedIn(c.removeMember))
	mux.HandleFunc("GET /app/settings/audit", c.signedIn(c.listAudit))
	mux.HandleFunc("GET /app/settings/audit.csv", c.signedIn(c.exportAudit))
	if c.Simulators != nil {
		mux.HandleFunc("GET /app/simulator", c.signedIn(c.showSimulator))
		mux.HandleFunc("POST /app/simulator", c.signedIn(c.writeAsVisitor))
	}
	mux.HandleFunc("GET /app", c.signedIn(func(w http.ResponseWriter, r *http.Request, _ visitor) error {
		http.Redirect(w, r, homePath, http.StatusSeeOther)
		return nil
	}))
	mux.HandleFunc("/app/", c.signedIn(func(http.ResponseWriter, *http.Request, visitor) error { return problem.NotFound() }))
	return mux
}

// visitor is the signed-in user with the current workspace.
type visitor struct {
	User       db.User
	Workspaces []db.Workspace
	Workspace  db.Workspace
}

// handler handles a request of a signed-in user.
type handler func(w http.ResponseWriter, r *http.Request, v visitor) error

// signedIn requires a session. Requests without one are redirected to the sign-in page.
func (c *console) signedIn(next handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v, err := c.visitor(r.Context())
		switch {
		case errors.Is(err, errSignedOut):
			target := "/app/sign-in"
			if r.Method == http.MethodGet && r.URL.Path != Path {
				target += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, target, http.StatusSeeOther)
		case err != nil:
			c.fail(w, r, v, err)
		case len(v.Workspaces) == 0:
			c.renderError(w, r, v, http.StatusForbidden, "No workspace", "You are not a member of any workspace. Ask an administrator to add you.")
		default:
			if err := next(w, r, v); err != nil {
				c.fail(w, r, v, err)
			}
		}
	}
}

var errSignedOut = errors.New("console: not signed in")

// visitor loads the user and their workspaces on each request, so that a removed
// membership or a changed password takes effect immediately.
func (c *console) visitor(ctx context.Context) (visitor, error) {
	userID, err := uuid.Parse(c.sessions.GetString(ctx, keyUser))
	if err != nil {
		return visitor{}, errSignedOut
	}
	row, err := c.Users.Get(ctx, userID)
	if errors.Is(err, user.ErrUnknown) {
		return visitor{}, errSignedOut
	} else if err != nil {
		return visitor{}, err
	}
	if user.SignedOut(row, c.sessions.GetInt64(ctx, keySince)) {
		return visitor{}, errSignedOut
	}
	v := visitor{User: row}
	if v.Workspaces, err = c.Users.Workspaces(ctx, userID); err != nil {
		return visitor{}, err
	}
	v.Workspace = current(v.Workspaces, c.sessions.GetString(ctx, keyWorkspace))
	return v, nil
}

// current returns the workspace with an ID, or the one that has existed for longest if the
// user is not, or no longer, a member of it.
func current(workspaces []db.Workspace, wanted string) (found db.Workspace) {
	for i, workspace := range workspaces {
		if workspace.ID.String() == wanted {
			return workspace
		}
		if i == 0 || workspace.CreatedAt.Before(found.CreatedAt) {
			found = workspace
		}
	}
	return found
}

// view is the data passed to a template.
type view struct {
	Title      string
	Path       string
	Visitor    visitor
	Notice     string // shown once after an action
	Failure    string // the same, after one that failed
	Fault      string // validation error of a form
	Navigation []group
	Page       any
}

func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) error {
	v.Path, v.Navigation = r.URL.Path, c.navigation(r.Context(), v.Visitor, r.URL.Path)
	if status == http.StatusOK {
		v.Notice, v.Failure = c.sessions.PopString(r.Context(), keyNotice), c.sessions.PopString(r.Context(), keyFailure)
	}
	content, err := c.templates.Execute(name, v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	web.Write(w, r, status, content, nil)
	return nil
}

// back redirects to a page that shows the notice.
func (c *console) back(w http.ResponseWriter, r *http.Request, path, notice string) error {
	c.sessions.Put(r.Context(), keyNotice, notice)
	http.Redirect(w, r, path, http.StatusSeeOther) //nolint:gosec // a path of the console, with parsed IDs
	return nil
}

// backFailed redirects to a page that says what has failed.
func (c *console) backFailed(w http.ResponseWriter, r *http.Request, path, failure string) error {
	c.sessions.Put(r.Context(), keyFailure, failure)
	http.Redirect(w, r, path, http.StatusSeeOther) //nolint:gosec // a path of the console, with parsed IDs
	return nil
}

// fail renders an error page. Internal errors are logged and not shown.
func (c *console) fail(w http.ResponseWriter, r *http.Request, v visitor, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		c.renderError(w, r, v, http.StatusRequestEntityTooLarge, "Request too large", "The form is too large.")
		return
	}
	known := problem.Classify(err)
	kind := c.Document.Errors[known.Code]
	if kind.Status >= http.StatusInternalServerError {
		c.Log.ErrorContext(r.Context(), "page failed", "requestId", web.RequestID(r.Context()), "path", r.URL.Path, "error", err)
	}
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.RetryAfter.Seconds()))))
	}
	text := known.Detail
	if known.Code == api.ErrorCodeNotFound {
		text = "This page doesn’t exist, or the resource was deleted."
	}
	c.renderError(w, r, v, kind.Status, kind.Title, text)
}

func (c *console) renderError(w http.ResponseWriter, r *http.Request, v visitor, status int, title, text string) {
	err := c.render(w, r, status, "error", view{Title: title, Visitor: v, Page: struct{ Text, RequestID string }{text, web.RequestID(r.Context())}})
	if err != nil {
		c.Log.ErrorContext(r.Context(), "error page failed", "error", err)
		http.Error(w, title, status)
	}
}

// recorded makes a change and records it in the audit log, in one transaction (see
// audit.Log).
func (c *console) recorded(r *http.Request, v visitor, action, target string, change func(context.Context, postgres.Conn) (bool, error)) error {
	return c.Audit.Do(r.Context(), c.entry(r, v.User, v.Workspace.ID, action, target), change)
}

// record records an action that changes nothing in the database.
func (c *console) record(r *http.Request, v visitor, action, target string) error {
	return c.Audit.Record(r.Context(), c.DB, c.entry(r, v.User, v.Workspace.ID, action, target))
}

func (c *console) entry(r *http.Request, who db.User, workspaceID uuid.UUID, action, target string) audit.Entry {
	return audit.Entry{
		WorkspaceID: workspaceID, ActorType: audit.User, ActorID: who.ID, ActorName: who.Name, Action: action, Target: target,
		IP: c.ClientIP(r), UserAgent: r.UserAgent(), RequestID: web.RequestID(r.Context()),
	}
}

// pathID parses an ID from the path. It returns a not_found error if the ID is invalid.
func pathID(r *http.Request, name string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(r.PathValue(name))
	if err != nil {
		return uuid.Nil, problem.NotFound()
	}
	return parsed, nil
}

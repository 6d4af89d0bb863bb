package hooks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// errNotConnected means that the provider rejected what it has just granted.
var errNotConnected = errors.New("hooks: the channel is not connected")

// errDenied means that the owner of the account did not authorize the channel.
var errDenied = errors.New("hooks: the authorization was denied")

// outcome is a page after an authorization. It has nothing that came with the request.
type outcome struct {
	status      int
	title, text string
}

var (
	connected = outcome{http.StatusOK, "Connected", "The channel is connected. You can close this page."}
	invalid   = outcome{http.StatusBadRequest, "Link no longer valid", "This link was used, has expired or was replaced. Request another one to connect the channel."}
	denied    = outcome{http.StatusForbidden, "Not connected", "Access was not granted, so the channel is not connected. Request another link to try again."}
	refused   = outcome{http.StatusBadGateway, "Not connected", "The provider did not accept the channel. Its settings in Convo may say why. Request another link to try again."}
)

func (o outcome) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer") // the URL has a code
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(o.status)
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>`+
		o.title+`</title><h1>`+o.title+`</h1><p>`+o.text+`</p></html>`)
}

// authorize handles a browser that comes from the page on which a channel is authorized, and
// shows what became of it.
func (h *Handler) authorize(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	err := h.connect(ctx, r)
	_, failed := errors.AsType[*channel.ProviderError](err)
	switch {
	case err == nil:
		connected.write(w)
	case errors.Is(err, channel.ErrAuthorization):
		invalid.write(w)
	case errors.Is(err, errDenied):
		denied.write(w)
	case failed, errors.Is(err, errNotConnected):
		h.log.InfoContext(ctx, "a channel was not authorized", "path", r.URL.Path, "error", err)
		refused.write(w)
	default:
		h.refuse(ctx, w, r, err)
	}
}

// connect exchanges the code of an authorization, stores what it grants, and connects the channel.
func (h *Handler) connect(ctx context.Context, r *http.Request) error {
	caller := ratelimit.Network(h.clientIP(r))
	opened, err := h.open(ctx, strings.TrimSuffix(r.URL.Path, channel.AuthorizationPath), caller)
	if err != nil {
		return err
	}
	if _, ok := opened.Provider.(provider.Authorizer); !ok || h.Channels == nil {
		return inbound.ErrNoChannel
	}
	sender := opened.Row.ID.String() + " " + caller
	if left := h.refused.Peek(sender, perSender); !left.Allowed {
		return &ratelimit.ExceededError{Result: left}
	}
	query := r.URL.Query()
	if err := h.Channels.UseAuthorization(ctx, opened.Row, query.Get("state")); err != nil {
		if errors.Is(err, channel.ErrAuthorization) {
			_, _ = h.refused.Take(ctx, sender, perSender) // in memory, which does not fail
		}
		return err
	}
	if query.Get("code") == "" {
		return errDenied
	}
	change, err := h.Channels.Authorized(ctx, opened, query.Get("code"))
	if err != nil {
		return err
	}
	return h.store(ctx, r, opened, change)
}

// store stores the credentials of a channel, and checks them.
func (h *Handler) store(ctx context.Context, r *http.Request, opened channel.Opened, change channel.Change) error {
	workspaceID, channelID := opened.Row.WorkspaceID, opened.Row.ID
	entry := audit.Entry{
		WorkspaceID: workspaceID, ActorType: audit.System, ActorName: "authorization", Action: "channel.authorized", Target: "/channels/" + channelID.String(),
		IP: h.clientIP(r), UserAgent: r.UserAgent(),
	}
	err := h.Audit.Do(ctx, entry, func(ctx context.Context, on postgres.Conn) (bool, error) {
		_, err := h.Channels.Update(ctx, on, workspaceID, channelID, change)
		return true, err
	})
	if err != nil {
		return err
	}
	checked, err := h.Channels.Check(ctx, workspaceID, channelID)
	if err != nil {
		return err
	}
	now, err := h.Channels.RecordCheck(ctx, h.Channels.DB, checked)
	if err == nil && now.Status != api.ChannelStatusCONNECTED {
		err = errNotConnected
	}
	return err
}

// Package widget is the server's side of the chat widget: sessions of visitors, their
// messages and files, and streams of what happens in their conversations.
package widget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

var (
	// ErrSession means that a session's token is not valid or has expired, or that its
	// channel is gone.
	ErrSession = errors.New("widget: no live session")
	// ErrIdentity means that a customer's server has not signed an identity as it must.
	ErrIdentity = errors.New("widget: invalid identity")
	// ErrOrigin means that a channel does not allow the origin of a page.
	ErrOrigin = errors.New("widget: origin not allowed")
	// ErrAttachment means that a visitor has not uploaded a file, or has sent it before.
	ErrAttachment = errors.New("widget: unknown attachment")
	// ErrTooManyUploads means that the workspace has too many files that were not sent.
	ErrTooManyUploads = errors.New("widget: too many uploads")
	// ErrTooManyStreams means that an address, a workspace or the process has too many
	// streams.
	ErrTooManyStreams = errors.New("widget: too many streams")
)

// Service is what the widget does for visitors.
type Service struct {
	DB            *postgres.DB
	IDs           *id.Generator
	Clock         clock.Clock
	Pages         *page.Codec
	Tokens        *Tokens
	Opener        *channel.Opener
	Conversations *conversation.Service
	Blobs         blob.Store
	Hub           *fanout.Hub
	Limiter       ratelimit.Limiter
	// NewConversations is how many conversations an address can begin, and NewFiles how many
	// files it can upload.
	NewConversations, NewFiles ratelimit.Limit
	// PublicURL is the origin of the server, empty if it is not known.
	PublicURL string
}

// Channel is a website's channel.
type Channel struct {
	channel.Opened

	Config api.WebsiteChannelConfig
}

// Channel returns a channel of the widget, or postgres.ErrNotFound.
func (s *Service) Channel(ctx context.Context, channelID uuid.UUID) (Channel, error) {
	opened, err := s.Opener.ForHook(ctx, channelID)
	if err == nil && opened.Row.Type != api.ChannelTypeWEBSITE {
		err = postgres.ErrNotFound
	}
	if err != nil {
		return Channel{}, err
	}
	c := Channel{Opened: opened}
	if err := json.Unmarshal(opened.Row.Config, &c.Config); err != nil {
		return Channel{}, fmt.Errorf("settings of channel %s: %w", channelID, err)
	}
	return c, nil
}

// AllowedOrigins are the origins of the pages that may show the widget; none for any.
func (c Channel) AllowedOrigins() []string {
	if c.Config.AllowedOrigins == nil {
		return nil
	}
	return *c.Config.AllowedOrigins
}

// Allow returns ErrOrigin if a channel does not allow requests from a page. Empty is the
// origin of a request that is from no page. host is that of the request.
func (s *Service) Allow(c Channel, origin, host string) error {
	allowed := c.AllowedOrigins()
	if origin == "" || len(allowed) == 0 || s.isOwn(origin, host) || slices.ContainsFunc(allowed, func(one string) bool { return strings.EqualFold(one, origin) }) {
		return nil
	}
	return ErrOrigin
}

// isOwn reports whether an origin is that of this server, whose frame shows the panel.
func (s *Service) isOwn(origin, host string) bool {
	if strings.EqualFold(origin, s.PublicURL) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// Visitor is who a session belongs to.
type Visitor struct {
	WorkspaceID, ChannelID uuid.UUID
	// ExternalID is how the channel knows the visitor. It is not the visitor's secret ID.
	ExternalID string
	// Verified says that the customer's server vouches for the visitor.
	Verified           bool
	Name, Email, Phone string
}

// Topic is where the beginning of the visitor's conversations is announced. Where its
// changes are is the conversation's ID.
func (v Visitor) Topic() uuid.UUID { return uuid.NewSHA1(v.ChannelID, []byte(v.ExternalID)) }

// Conversation returns the conversation that the visitor's next message continues, or else
// the latest one; nil if there is none.
func (s *Service) Conversation(ctx context.Context, v Visitor) (*api.WidgetConversation, error) {
	row, err := s.current(ctx, v)
	if postgres.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	} else if err != nil {
		return nil, fmt.Errorf("find conversation of visitor: %w", err)
	}
	return new(shown(row)), nil
}

func (s *Service) current(ctx context.Context, v Visitor) (db.WidgetConversationRow, error) {
	return db.New().WidgetConversation(ctx, s.DB, db.WidgetConversationParams{WorkspaceID: v.WorkspaceID, ChannelID: v.ChannelID, ExternalID: v.ExternalID})
}

// shown returns a conversation as the visitor sees it.
func shown(row db.WidgetConversationRow) api.WidgetConversation {
	c := api.WidgetConversation{ID: row.ID, Status: row.Status}
	if row.OperatorName != nil {
		c.Operator = &api.WidgetOperator{Name: *row.OperatorName}
	}
	return c
}

package channel

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/page"
)

const (
	// listTimeout bounds the wait for a list of templates, and lookupTimeout that for one
	// before it is sent.
	listTimeout   = 15 * time.Second
	lookupTimeout = 5 * time.Second
)

// providerError explains an error to the owner of a channel, without its credentials.
func providerError(c provider.Channel, err error) *ProviderError {
	kind, retryAfter := provider.Permanent, time.Duration(0)
	if sent, ok := errors.AsType[*provider.SendError](err); ok {
		kind, retryAfter = sent.Kind, sent.RetryAfter
	}
	return &ProviderError{Kind: kind, Detail: cut(provider.Redact(c, describe(err)), maxError), RetryAfter: retryAfter, cause: errors.New(provider.Redact(c, err.Error()))}
}

// Templates asks the provider of a channel for a page of the templates that it has approved. It
// waits without a connection to the database. It fails with postgres.ErrNotFound,
// page.ErrInvalidCursor, *provider.NoTemplatesError, share.ErrBusy or *ProviderError.
func (s *Service) Templates(ctx context.Context, workspaceID, channelID uuid.UUID, request page.Request) (page.Page[provider.Template], error) {
	var none page.Page[provider.Template]
	row, err := get(ctx, s.DB, workspaceID, channelID)
	if err != nil {
		return none, err
	}
	list := page.List{Workspace: workspaceID, Name: "templates", Filters: []string{channelID.String()}}
	after, err := s.Pages.Unwrap(list, request)
	if err != nil {
		return none, err
	}
	found, next, err := asked(ctx, s, row, listTimeout, func(ctx context.Context, templater provider.Templater, c provider.Channel) ([]provider.Template, string, error) {
		return templater.Templates(ctx, c, after, int(request.Size()))
	})
	if err != nil || next == "" {
		return page.Page[provider.Template]{Rows: found}, err
	}
	cursor := s.Pages.Wrap(list, next)
	return page.Page[provider.Template]{Rows: found, Next: &cursor}, nil
}

// Template asks the provider of a channel for an approved template. It returns nil if the
// provider cannot be asked now: what it is sent decides then. It fails with
// postgres.ErrNotFound, *UnknownTemplateError, *provider.NoTemplatesError or share.ErrBusy.
func (s *Service) Template(ctx context.Context, workspaceID, channelID uuid.UUID, name, language string) (*provider.Template, error) {
	row, err := get(ctx, s.DB, workspaceID, channelID)
	if err != nil {
		return nil, err
	}
	found, ok, err := asked(ctx, s, row, lookupTimeout, func(ctx context.Context, templater provider.Templater, c provider.Channel) (provider.Template, bool, error) {
		return templater.Template(ctx, c, name, language)
	})
	if failed, is := errors.AsType[*ProviderError](err); is {
		s.Log.InfoContext(ctx, "template not looked up", "channelId", channelID, "error", failed)
		return nil, nil //nolint:nilnil // it is not known
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &UnknownTemplateError{Name: name, Language: language}
	}
	return &found, nil
}

// asked calls the provider of a channel with templates, for no more than the workspace's share
// of such calls at a time.
func asked[Found, More any](ctx context.Context, s *Service, row db.Channel, limit time.Duration,
	ask func(context.Context, provider.Templater, provider.Channel) (Found, More, error),
) (found Found, more More, err error) {
	templater, ok := s.Opener.Providers[row.Type].(provider.Templater)
	if !ok || !s.Opener.Providers.RulesFor(row.Type, row.Config).Templates {
		return found, more, &provider.NoTemplatesError{Type: row.Type}
	}
	opened, err := s.Opener.Open(row)
	if err != nil {
		return found, more, &ProviderError{Kind: provider.Credentials, Detail: unreadable, cause: err}
	}
	leave, err := s.Calls.Enter(ctx, row.WorkspaceID)
	if err != nil {
		return found, more, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if found, more, err = ask(ctx, templater, opened.Channel); err != nil {
		return found, more, providerError(opened.Channel, err)
	}
	return found, more, nil
}

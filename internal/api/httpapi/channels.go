package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/openapi/timestamp"
)

// channels serves the tag Channels.
type channels struct {
	service *channel.Service
	log     *audit.Log
	links   linker
}

// ListChannels implements api.StrictServerInterface.
func (s *channels) ListChannels(ctx context.Context, r api.ListChannelsRequestObject) (api.ListChannelsResponseObject, error) {
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListChannels200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Channel),
		Headers: api.ListChannels200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// CreateChannel implements api.StrictServerInterface. The provider is called once the channel
// is stored, because it may call the channel's hook.
func (s *channels) CreateChannel(ctx context.Context, r api.CreateChannelRequestObject) (api.CreateChannelResponseObject, error) {
	var channelID uuid.UUID
	_, err := middleware.Once(ctx, s.log, api.CreateChannelResponseObject.VisitCreateChannelResponse, func(ctx context.Context, on postgres.Conn) (api.CreateChannelResponseObject, error) {
		row, err := s.service.Create(ctx, on, middleware.WorkspaceID(ctx), fromAPIChannel(*r.Body))
		if err != nil {
			return nil, err
		}
		channelID = row.ID
		return createdChannel(row), nil
	})
	if err != nil {
		return nil, err
	}
	checked, err := s.service.Check(ctx, middleware.WorkspaceID(ctx), channelID)
	if err != nil {
		return nil, err
	}
	return middleware.Amend(ctx, s.log, api.CreateChannelResponseObject.VisitCreateChannelResponse, func(ctx context.Context, on postgres.Conn) (api.CreateChannelResponseObject, error) {
		row, err := s.service.RecordCheck(ctx, on, checked)
		if err != nil {
			return nil, err
		}
		return createdChannel(row), nil
	})
}

func createdChannel(row channel.Detail) api.CreateChannel201JSONResponse {
	return api.CreateChannel201JSONResponse{
		Body: representation.ChannelDetail(row), Headers: api.CreateChannel201ResponseHeaders{Location: location("/channels", row.ID)},
	}
}

// GetChannel implements api.StrictServerInterface.
func (s *channels) GetChannel(ctx context.Context, r api.GetChannelRequestObject) (api.GetChannelResponseObject, error) {
	row, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetChannel200JSONResponse(representation.ChannelDetail(row)), nil
}

// UpdateChannel implements api.StrictServerInterface. As for a new channel, the provider is
// called once the change is stored.
func (s *channels) UpdateChannel(ctx context.Context, r api.UpdateChannelRequestObject) (api.UpdateChannelResponseObject, error) {
	change := fromAPIChannelUpdate(*r.Body)
	response, err := middleware.Once(ctx, s.log, api.UpdateChannelResponseObject.VisitUpdateChannelResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateChannelResponseObject, error) {
		row, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.ID, change)
		if err != nil {
			return nil, err
		}
		return api.UpdateChannel200JSONResponse(representation.ChannelDetail(row)), nil
	})
	if err != nil || !change.Reconnects() {
		return response, err
	}
	checked, err := s.service.Check(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return middleware.Amend(ctx, s.log, api.UpdateChannelResponseObject.VisitUpdateChannelResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateChannelResponseObject, error) {
		row, err := s.service.RecordCheck(ctx, on, checked)
		if err != nil {
			return nil, err
		}
		return api.UpdateChannel200JSONResponse(representation.ChannelDetail(row)), nil
	})
}

// DeleteChannel implements api.StrictServerInterface.
func (s *channels) DeleteChannel(ctx context.Context, r api.DeleteChannelRequestObject) (api.DeleteChannelResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteChannelResponseObject.VisitDeleteChannelResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteChannelResponseObject, error) {
		if err := s.service.Delete(ctx, on, middleware.WorkspaceID(ctx), r.ID); err != nil {
			return nil, err
		}
		return api.DeleteChannel204Response{}, nil
	})
}

// CheckChannel implements api.StrictServerInterface.
func (s *channels) CheckChannel(ctx context.Context, r api.CheckChannelRequestObject) (api.CheckChannelResponseObject, error) {
	checked, err := s.service.Check(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return middleware.Once(ctx, s.log, api.CheckChannelResponseObject.VisitCheckChannelResponse, func(ctx context.Context, on postgres.Conn) (api.CheckChannelResponseObject, error) {
		row, err := s.service.RecordCheck(ctx, on, checked)
		if err != nil {
			return nil, err
		}
		return api.CheckChannel200JSONResponse(representation.ChannelDetail(row)), nil
	})
}

// AuthorizeChannel implements api.StrictServerInterface.
func (s *channels) AuthorizeChannel(ctx context.Context, r api.AuthorizeChannelRequestObject) (api.AuthorizeChannelResponseObject, error) {
	return middleware.Once(ctx, s.log, api.AuthorizeChannelResponseObject.VisitAuthorizeChannelResponse, func(ctx context.Context, on postgres.Conn) (api.AuthorizeChannelResponseObject, error) {
		begun, err := s.service.Authorize(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.AuthorizeChannel200JSONResponse{URL: begun.URL, ExpiresAt: timestamp.New(begun.ExpiresAt)}, nil
	})
}

// ListChannelTemplates implements api.StrictServerInterface.
func (s *channels) ListChannelTemplates(ctx context.Context, r api.ListChannelTemplatesRequestObject) (api.ListChannelTemplatesResponseObject, error) {
	rows, err := s.service.Templates(ctx, middleware.WorkspaceID(ctx), r.ID, page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListChannelTemplates200JSONResponse{
		Body:    representation.List(rows.Rows, representation.MessageTemplate),
		Headers: api.ListChannelTemplates200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

func fromAPIChannel(in api.ChannelCreate) channel.Settings {
	settings := channel.Settings{Type: in.Type, Name: in.Name, AgentID: in.AgentID, APIBaseURL: in.APIBaseURL}
	if in.Config != nil {
		settings.Config = *in.Config
	}
	if in.Credentials != nil {
		settings.Credentials = *in.Credentials
	}
	return settings
}

func fromAPIChannelUpdate(in api.ChannelUpdate) channel.Change {
	change := channel.Change{Name: in.Name, AgentID: in.AgentID}
	if in.Config != nil {
		change.Config = *in.Config
	}
	if in.Credentials != nil {
		change.Credentials = *in.Credentials
	}
	if in.APIBaseURL.IsSpecified() {
		change.APIBaseURL = func() *string { return orNil(in.APIBaseURL) }
	}
	if in.Status != nil {
		enabled := *in.Status == api.ChannelSwitchCONNECTED
		change.Enabled = &enabled
	}
	return change
}

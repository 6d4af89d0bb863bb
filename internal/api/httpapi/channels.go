package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/platform/page"
)

// channels serves the tag Channels.
type channels struct {
	service *channel.Service
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

package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/openapi/timestamp"
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
		Body:    each(rows.Rows, toAPIChannel),
		Headers: api.ListChannels200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

func toAPIChannel(row db.Channel) api.Channel {
	return api.Channel{
		ID: row.ID, Type: row.Type, Name: row.Name, AgentID: row.AgentID, CreatedAt: timestamp.New(row.CreatedAt),
	}
}

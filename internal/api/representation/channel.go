package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/openapi/timestamp"
)

// Channel converts a channel.
func Channel(row db.Channel) api.Channel {
	return api.Channel{
		ID: row.ID, Type: row.Type, Name: row.Name, AgentID: &row.AgentID, Status: row.Status,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// ChannelDetail converts a channel with its settings. Its credentials are never shown.
func ChannelDetail(in channel.Detail) api.ChannelDetail {
	short := Channel(in.Channel)
	shown := api.ChannelDetail{
		ID: short.ID, Type: short.Type, Name: short.Name, AgentID: short.AgentID, Status: short.Status,
		CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt, Config: in.Config, CredentialsSet: in.Credentials != nil,
		APIBaseURL: in.APIBaseURL, Account: in.Account, Error: channelError(in.Channel),
	}
	if in.HookURL != "" {
		shown.HookURL = &in.HookURL
	}
	return shown
}

func channelError(row db.Channel) *api.ChannelError {
	if row.ErrorCode == nil || row.ErrorMessage == nil || row.ErrorAt == nil {
		return nil
	}
	return &api.ChannelError{Code: api.ChannelErrorCode(*row.ErrorCode), Message: *row.ErrorMessage, At: timestamp.New(*row.ErrorAt)}
}

// MessageTemplate converts a template.
func MessageTemplate(in provider.Template) api.MessageTemplate {
	return api.MessageTemplate{
		Name: in.Name, Language: in.Language, Category: in.Category, Status: in.Status, Body: in.Body,
		ParameterCount: int32(len(in.Parameters())), Sendable: !in.Unsendable,
	}
}

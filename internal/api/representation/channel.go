package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// Channel converts a channel.
func Channel(row db.Channel) api.Channel {
	return api.Channel{
		ID: row.ID, Type: row.Type, Name: row.Name, AgentID: &row.AgentID, CreatedAt: timestamp.New(row.CreatedAt),
	}
}

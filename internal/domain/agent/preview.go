package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/reply"
)

// ErrNoQuestion means that the last message of a preview is not the contact's.
var ErrNoQuestion = errors.New("agent: the last message is not the contact's")

// Preview returns what an agent would reply in a conversation. It stores nothing, and waits for
// other previews of the workspace without a connection. It fails with postgres.ErrNotFound,
// ErrNoQuestion or share.ErrBusy.
func (s *Service) Preview(ctx context.Context, workspaceID, agentID uuid.UUID, talk dialogue.Dialogue) (reply.Reply, error) {
	row, err := s.Get(ctx, workspaceID, agentID)
	if err != nil {
		return reply.Reply{}, err
	}
	if len(talk) == 0 || !talk[len(talk)-1].Visitor {
		return reply.Reply{}, ErrNoQuestion
	}
	leave, err := s.Previews.Enter(ctx, workspaceID)
	if err != nil {
		return reply.Reply{}, err
	}
	defer leave()
	return s.Engine.Reply(ctx, reply.Input{WorkspaceID: workspaceID, Agent: row, Dialogue: talk})
}

// Checked is whether an agent can reply. Reason is nil if it can, else Detail says what to do.
type Checked struct {
	Reason *api.AgentRunReason
	Detail string
}

// checkTokens is how long the model's reply to a check is at most.
const checkTokens = 16

// Check asks the model of an agent for a reply. It fails with postgres.ErrNotFound or
// share.ErrBusy.
func (s *Service) Check(ctx context.Context, workspaceID, agentID uuid.UUID) (Checked, error) {
	row, err := s.Get(ctx, workspaceID, agentID)
	if err != nil {
		return Checked{}, err
	}
	leave, err := s.Previews.Enter(ctx, workspaceID)
	if err != nil {
		return Checked{}, err
	}
	defer leave()
	provider, err := s.Engine.Models.Provider(row.ModelProvider)
	if err == nil {
		_, err = provider.Chat(ctx, model.Request{
			Model: row.ModelName, MaxTokens: checkTokens, Temperature: row.Temperature, Messages: []model.Message{{Role: model.User, Content: "Hello"}},
		})
	}
	switch {
	case err == nil:
		return Checked{}, nil
	case errors.Is(err, model.ErrUnavailable):
		return Checked{new(api.AgentRunReasonModelUnavailable), fmt.Sprintf("This server has no model provider %q. Set modelProvider to builtin.", row.ModelProvider)}, nil
	case ctx.Err() != nil:
		return Checked{new(api.AgentRunReasonDeadline), "The model did not reply in time."}, nil
	}
	return Checked{new(api.AgentRunReasonModelFailed), "The provider returned an error."}, nil
}

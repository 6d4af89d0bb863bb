package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

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

const (
	// checkTokens is how long the model's reply to a check is at most, and checkTimeout how
	// long a check takes.
	checkTokens  = 16
	checkTimeout = 20 * time.Second
)

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
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	provider, err := s.Engine.Models.Provider(asking, workspaceID, row.ModelProvider)
	if err == nil {
		_, err = s.Engine.Call(asking, reply.Input{WorkspaceID: workspaceID, Agent: row}, provider, model.Request{
			Model: row.ModelName, MaxTokens: checkTokens, Temperature: row.Temperature, Messages: []model.Message{{Role: model.User, Content: "Hello"}},
		})
	}
	if err != nil {
		reason := reply.Explain(ctx, err)
		return Checked{&reason, advice(reason, row.ModelProvider)}, nil
	}
	return Checked{}, nil
}

// advices say what to do about a provider that does not reply.
var advices = map[api.AgentRunReason]string{
	api.AgentRunReasonModelCredentials: "The provider rejected its key, or its account has no credit. Set the key again, or add credit.",
	api.AgentRunReasonModelRateLimited: "The account has reached the rate limit of the provider. Retry later, or raise the limit.",
	api.AgentRunReasonModelOverloaded:  "The provider is out of order. Retry later.",
	api.AgentRunReasonModelUnreachable: "No connection to the provider. Check its baseUrl.",
	api.AgentRunReasonModelRefused:     "The model refused to reply to a greeting. Use another model.",
	api.AgentRunReasonModelInvalid:     "The provider rejected the request. Check modelName, temperature, maxTokens and the baseUrl of the provider.",
	api.AgentRunReasonModelTimeout:     "The model did not reply in time.",
	api.AgentRunReasonBudgetExceeded:   "The budget of the workspace or the agent is used up. Raise it, or wait for the next month.",
	api.AgentRunReasonPriceUnknown:     "There is a budget, but the model has no price. Set it with PATCH /model-providers/{provider}.",
	api.AgentRunReasonDeadline:         "The model did not reply in time.",
}

func advice(reason api.AgentRunReason, provider string) string {
	switch {
	case reason != api.AgentRunReasonModelUnavailable:
		return cmp.Or(advices[reason], "The provider returned an error.")
	case api.ModelProviderName(provider).Valid():
		return fmt.Sprintf("The provider is not set up. Set it up with PATCH /model-providers/%s.", provider)
	}
	return fmt.Sprintf("There is no model provider %q. Set modelProvider to builtin, openai or anthropic.", provider)
}

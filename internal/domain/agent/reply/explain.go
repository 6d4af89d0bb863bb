package reply

import (
	"context"
	"errors"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/spending"
)

// reasons are why a call failed, in terms of the API.
var reasons = map[model.Kind]api.AgentRunReason{
	model.Credentials: api.AgentRunReasonModelCredentials,
	model.RateLimited: api.AgentRunReasonModelRateLimited,
	model.Overloaded:  api.AgentRunReasonModelOverloaded,
	model.Unreachable: api.AgentRunReasonModelUnreachable,
	model.Refused:     api.AgentRunReasonModelRefused,
	model.TimedOut:    api.AgentRunReasonModelTimeout,
	model.Invalid:     api.AgentRunReasonModelInvalid,
}

// Explain returns why a model could not be called, or why a call failed. If ctx has ended, the
// reason is the deadline of the run.
func Explain(ctx context.Context, err error) api.AgentRunReason {
	if ctx.Err() != nil {
		return api.AgentRunReasonDeadline
	}
	if errors.Is(err, model.ErrUnavailable) {
		return api.AgentRunReasonModelUnavailable
	}
	if refused, ok := errors.AsType[*spending.RefusedError](err); ok {
		if refused.Unpriced {
			return api.AgentRunReasonPriceUnknown
		}
		return api.AgentRunReasonBudgetExceeded
	}
	if failed, ok := errors.AsType[*model.Error](err); ok {
		if reason, ok := reasons[failed.Kind]; ok {
			return reason
		}
	}
	return api.AgentRunReasonModelFailed
}

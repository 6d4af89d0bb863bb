package runner

import (
	"context"
	"fmt"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres"
)

// finish ends the run: the reply, the lead, what happens to the conversation and the outcome
// are one transaction. It fails with errWroteAgain if the visitor has written meanwhile, and
// then changes nothing. A reply is dropped if an operator has taken over.
func (a *attempt) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err := postgres.WithTx(ctx, a.DB, func(ctx context.Context, tx postgres.Tx) error {
		row, err := db.New().ConversationLock(ctx, tx, db.ConversationLockParams{WorkspaceID: a.run.WorkspaceID, ID: a.run.ConversationID})
		if err != nil {
			return fmt.Errorf("lock conversation: %w", err)
		}
		run, err := db.New().AgentRunLock(ctx, tx, db.AgentRunLockParams{WorkspaceID: a.run.WorkspaceID, ID: a.run.ID, Lease: a.run.Lease})
		if postgres.IsNotFound(err) {
			return errLeaseLost
		} else if err != nil {
			return fmt.Errorf("lock run: %w", err)
		}
		end, err := a.end(ctx, tx, row, run)
		if err != nil {
			return err
		}
		now := a.Clock.Now()
		end.WorkspaceID, end.ID, end.FinishedAt = run.WorkspaceID, run.ID, now
		end.ModelProvider, end.ModelName = a.seen.agent.ModelProvider, a.seen.agent.ModelName
		if a.reply.Builtin {
			end.ModelProvider, end.ModelName = builtin.Name, builtin.Model
		}
		if err := db.New().AgentRunEnd(ctx, tx, end); err != nil {
			return fmt.Errorf("end run: %w", err)
		}
		if err := a.count(ctx, tx, end); err != nil {
			return err
		}
		failpoint.Hit(failpoint.RunStored)
		return nil
	})
	if err == nil {
		failpoint.Hit(failpoint.RunEnded)
	}
	return err
}

// count counts the run for analytics.
func (a *attempt) count(ctx context.Context, tx postgres.Tx, end db.AgentRunEndParams) error {
	err := db.New().AnalyticsCountRun(ctx, tx, db.AnalyticsCountRunParams{
		WorkspaceID: a.run.WorkspaceID, RunID: a.run.ID, AgentID: a.run.AgentID, ChannelID: a.seen.of.Conversation.ChannelID, FinishedAt: end.FinishedAt,
	})
	if err == nil && end.Outcome == string(api.AgentRunOutcomeANSWERED) {
		err = db.New().AnalyticsCountAnswer(ctx, tx, db.AnalyticsCountAnswerParams{
			WorkspaceID: a.run.WorkspaceID, ConversationID: a.run.ConversationID, AnsweredAt: end.FinishedAt,
		})
	}
	if err != nil {
		return fmt.Errorf("count run: %w", err)
	}
	return nil
}

// end stores what the run has led to, in a locked conversation, and returns its outcome.
func (a *attempt) end(ctx context.Context, tx postgres.Tx, row db.Conversation, run db.AgentRun) (db.AgentRunEndParams, error) {
	a.seen.of.Conversation.Status = row.Status // it may have changed
	if why := a.dropped(); why != nil {
		return db.AgentRunEndParams{Outcome: string(api.AgentRunOutcomeDROPPED), Reason: (*string)(why)}, nil
	}
	if run.MessageID != a.seen.latest {
		return db.AgentRunEndParams{}, errWroteAgain
	}
	if err := a.capture(ctx, tx, row); err != nil {
		return db.AgentRunEndParams{}, err
	}
	if err := a.recordVersion(ctx, tx, row); err != nil {
		return db.AgentRunEndParams{}, err
	}
	message, err := a.Conversations.ApplyAgentTurn(ctx, tx, row, a.turn())
	if err != nil {
		return db.AgentRunEndParams{}, err
	}
	return db.AgentRunEndParams{
		Outcome: string(a.reply.Outcome), Reason: (*string)(a.reply.Reason), Steps: int32(a.reply.Steps), ReplyID: &message.ID, AgentVersion: a.seen.version,
		InputTokens: int32(a.reply.Usage.InputTokens), OutputTokens: int32(a.reply.Usage.OutputTokens),
	}, nil
}

// recordVersion makes the conversation continue with the version that replies.
func (a *attempt) recordVersion(ctx context.Context, tx postgres.Tx, row db.Conversation) error {
	version := a.seen.version
	if version == nil || row.AgentVersion != nil && *row.AgentVersion == *version {
		return nil
	}
	err := db.New().ConversationSetAgentVersion(ctx, tx, db.ConversationSetAgentVersionParams{WorkspaceID: row.WorkspaceID, ID: row.ID, AgentVersion: *version})
	if err != nil {
		return fmt.Errorf("record version of agent: %w", err)
	}
	return nil
}

// capture creates or updates the lead of the conversation.
func (a *attempt) capture(ctx context.Context, tx postgres.Tx, row db.Conversation) error {
	if a.reply.Lead == nil {
		return nil
	}
	_, err := a.Leads.Capture(ctx, tx, row, lead.Captured{
		Verified: a.seen.verified, Fields: a.reply.Lead.Fields, Latest: a.reply.Lead.Latest,
		Score: int16(a.reply.Lead.Score), Reason: a.reply.Lead.Reason, Source: lead.SourceAgent,
	})
	return err
}

// turn is the reply as the conversation stores it.
func (a *attempt) turn() conversation.AgentTurn {
	turn := conversation.AgentTurn{
		Text: a.text(), Citations: a.reply.Citations, Sentiment: &a.reply.Sentiment, Summary: a.reply.Summary,
		HandOff: a.reply.Outcome == api.AgentRunOutcomeHANDEDOFF, Close: a.reply.Outcome == api.AgentRunOutcomeENDED,
	}
	if turn.HandOff && a.reply.Reason != nil {
		turn.Reason = reasons[*a.reply.Reason]
	}
	return turn
}

// reasons are what operators read about hand-offs.
var reasons = map[api.AgentRunReason]string{
	api.AgentRunReasonVisitorRequest:   "The contact asked for a person.",
	api.AgentRunReasonNoEvidence:       "The knowledge base has no answer.",
	api.AgentRunReasonDeadline:         "The agent did not reply in time.",
	api.AgentRunReasonModelUnavailable: "The agent's model provider is not set up.",
	api.AgentRunReasonModelFailed:      "The agent's model failed.",
	api.AgentRunReasonModelCredentials: "The model provider rejected the workspace's key.",
	api.AgentRunReasonModelRateLimited: "The model provider's rate limit was reached.",
	api.AgentRunReasonModelOverloaded:  "The model provider is out of order.",
	api.AgentRunReasonModelUnreachable: "The model provider can't be reached.",
	api.AgentRunReasonModelRefused:     "The agent's model refused to reply.",
	api.AgentRunReasonModelTimeout:     "The agent's model did not reply in time.",
	api.AgentRunReasonModelInvalid:     "The model provider rejected the request.",
	api.AgentRunReasonBudgetExceeded:   "The budget for models is used up.",
	api.AgentRunReasonPriceUnknown:     "There is a budget, but the agent's model has no price.",
	api.AgentRunReasonStepLimit:        "The agent's model did not come to a reply.",
	api.AgentRunReasonRepeatedCrashes:  "The server stopped while the agent replied.",
	api.AgentRunReasonModelDecision:    "The agent decided it.",
}

// text is what is sent. The widget shows by itself that an AI replies, and what is cited; on
// other channels both are written.
func (a *attempt) text() string {
	if a.seen.of.ChannelType == api.ChannelTypeWEBSITE {
		return a.reply.Text
	}
	var b strings.Builder
	if a.seen.first {
		b.WriteString(dialogue.Notice.In(a.seen.dialogue.Language()) + "\n\n")
	}
	b.WriteString(a.reply.Text)
	for i, one := range a.reply.Citations {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\n[%d] %s", one.Index, one.Title)
		if one.URL != nil {
			b.WriteString(" " + *one.URL)
		}
	}
	return b.String()
}

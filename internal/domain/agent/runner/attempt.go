package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// maxHistory is how many messages of a conversation are read.
const maxHistory = 60

var (
	// errLeaseLost means that another process has the run.
	errLeaseLost = errors.New("runner: the lease of a run was lost")
	// errWroteAgain means that the visitor has written while the agent replied.
	errWroteAgain = errors.New("runner: the visitor wrote again")
)

// attempt is a claimed run.
type attempt struct {
	*Runner

	run   db.AgentRun
	seen  snapshot
	reply reply.Reply
	// drafted says that the visitor sees a draft of the reply.
	drafted bool
}

// snapshot is what a reply is based on.
type snapshot struct {
	of       db.ConversationGetRow
	agent    db.Agent // with the settings of the version
	version  *int32
	latest   uuid.UUID // the latest message of the contact
	dialogue dialogue.Dialogue
	first    bool // the agent has not said anything yet
	verified bool
}

// work carries out the run. If that fails, the lease ends and the run begins again, until its
// deadline.
func (a *attempt) work(ctx context.Context) {
	failpoint.Hit(failpoint.RunClaimed)
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go a.beat(working, stop)
	err := a.try(working)
	if err != nil || a.dropped() != nil {
		a.showDraft("") // no message replaces it
	}
	switch {
	case err == nil || errors.Is(err, errLeaseLost) || errors.Is(context.Cause(working), errLeaseLost):
	case errors.Is(err, errWroteAgain) || ctx.Err() != nil:
		a.release(ctx)
	default:
		a.Log.WarnContext(ctx, "agent run failed", "workspaceId", a.run.WorkspaceID, "runId", a.run.ID, "error", err)
	}
}

func (a *attempt) try(ctx context.Context) error {
	if err := a.read(ctx); err != nil {
		return err
	}
	if a.dropped() == nil {
		if err := a.compose(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("compose reply: %w", context.Cause(ctx))
	}
	failpoint.Hit(failpoint.RunReplied)
	return a.finish(ctx)
}

// beat renews the lease while the run lasts, and stops the run if it was lost.
func (a *attempt) beat(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		renewing, cancel := context.WithTimeout(ctx, statementTimeout)
		rows, err := db.New().AgentRunRenew(renewing, a.DB, db.AgentRunRenewParams{
			WorkspaceID: a.run.WorkspaceID, ID: a.run.ID, Lease: a.run.Lease, Until: a.Clock.Now().Add(lease),
		})
		cancel()
		if err == nil && rows == 0 {
			stop(errLeaseLost)
			return
		}
	}
}

// release gives the run back: it begins again immediately.
func (a *attempt) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	err := db.New().AgentRunRelease(ctx, a.DB, db.AgentRunReleaseParams{WorkspaceID: a.run.WorkspaceID, ID: a.run.ID, Lease: a.run.Lease})
	if err != nil {
		a.Log.WarnContext(ctx, "agent run not released", "runId", a.run.ID, "error", err)
		return
	}
	a.Wake.Send()
}

// read reads what there is to reply to. Nothing is held afterwards.
func (a *attempt) read(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	q := db.New()
	if a.seen.of, err = q.ConversationGet(ctx, a.DB, db.ConversationGetParams{WorkspaceID: a.run.WorkspaceID, ID: a.run.ConversationID}); err != nil {
		return fmt.Errorf("get conversation: %w", err)
	}
	if err = a.readAgent(ctx); err != nil {
		return err
	}
	if a.seen.verified, err = a.isVerified(ctx); err != nil {
		return err
	}
	rows, err := q.MessageListNewest(ctx, a.DB, db.MessageListNewestParams{
		WorkspaceID: a.run.WorkspaceID, ConversationID: a.run.ConversationID, BeforeID: id.Max, RowLimit: maxHistory,
	})
	if err != nil {
		return fmt.Errorf("list messages: %w", err)
	}
	slices.Reverse(rows)
	a.seen.first = true
	for _, row := range rows {
		visitor := row.AuthorType == api.MessageAuthorTypeCONTACT
		if visitor {
			a.seen.latest = row.ID
		}
		a.seen.first = a.seen.first && row.AuthorType != api.MessageAuthorTypeAGENT
		if row.RedactedAt == nil {
			a.seen.dialogue = append(a.seen.dialogue, dialogue.Turn{Visitor: visitor, Text: row.Content})
		}
	}
	return nil
}

// readAgent reads the agent, in the version that replies in the conversation. An agent that a
// server of an earlier release has just published has no version, and replies as it is.
func (a *attempt) readAgent(ctx context.Context) error {
	row, err := db.New().AgentGet(ctx, a.DB, db.AgentGetParams{WorkspaceID: a.run.WorkspaceID, ID: a.run.AgentID})
	if err != nil {
		return fmt.Errorf("get agent: %w", err)
	}
	version, err := db.New().AgentVersionOfConversation(ctx, a.DB, db.AgentVersionOfConversationParams{
		WorkspaceID: row.WorkspaceID, AgentID: row.ID, RepliedBefore: a.seen.of.Conversation.AgentVersion,
	})
	switch {
	case err == nil:
		a.seen.agent, a.seen.version = agent.At(row, version), &version.Number
	case postgres.IsNotFound(err):
		a.seen.agent = row
	default:
		return fmt.Errorf("get version of agent: %w", err)
	}
	return nil
}

func (a *attempt) isVerified(ctx context.Context) (bool, error) {
	of := a.seen.of.Conversation
	if of.IdentityExternalID == nil {
		return false, nil
	}
	verified, err := db.New().IdentityIsVerified(ctx, a.DB, db.IdentityIsVerifiedParams{
		WorkspaceID: of.WorkspaceID, ChannelID: of.ChannelID, ExternalID: *of.IdentityExternalID,
	})
	if err != nil && !postgres.IsNotFound(err) {
		return false, fmt.Errorf("get identity: %w", err)
	}
	return verified, nil
}

// dropped returns why nothing is to be replied; nil if a reply is wanted.
func (a *attempt) dropped() *api.AgentRunReason {
	switch {
	case a.seen.of.Conversation.Status != api.ConversationStatusOPEN:
		return new(api.AgentRunReasonTakenOver)
	case a.seen.agent.Status != api.AgentStatusPUBLISHED:
		return new(api.AgentRunReasonAgentNotPublished)
	}
	return nil
}

// compose finds the reply, for which there is time until the deadline.
func (a *attempt) compose(ctx context.Context) (err error) {
	left := a.run.DeadlineAt.Sub(a.Clock.Now())
	switch {
	case left <= 0:
		a.reply = reply.Late(a.seen.dialogue, api.AgentRunReasonDeadline)
		return nil
	case a.run.Tries > maxTries:
		a.reply = reply.Late(a.seen.dialogue, api.AgentRunReasonRepeatedCrashes)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	a.typing(true)
	defer a.typing(false)
	a.reply, err = a.Engine.Reply(ctx, reply.Input{
		WorkspaceID: a.run.WorkspaceID, Agent: a.seen.agent, RunID: &a.run.ID, Dialogue: a.seen.dialogue, Draft: a.drafts(),
	})
	return err
}

// typing shows the visitor that the agent is writing.
func (a *attempt) typing(on bool) {
	a.Conversations.Typing(a.run.ConversationID, api.MessageAuthorTypeAGENT, on)
}

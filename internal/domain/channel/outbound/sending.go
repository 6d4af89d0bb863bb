package outbound

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/id"
)

// sending is one claimed message.
type sending struct {
	*Engine

	through     channel.Opened
	rules       provider.Rules
	row         db.OutboundClaimedListRow
	leasedUntil time.Time
	externalIDs []string // of the parts that this worker has sent
	thread      string
	status      api.DeliveryStatus
}

// outcome is how an attempt ended.
type outcome struct {
	at       time.Time
	duration time.Duration
	err      *provider.SendError // nil after success
	doubt    bool                // whether the message was sent is not known
}

// run sends what is left of the message and records the outcome. If the lease was lost, or
// the database does not respond, the message is left to the next worker that claims it.
func (s *sending) run(ctx context.Context) {
	err := s.try(ctx)
	if err != nil {
		s.Log.WarnContext(ctx, "message not sent", "workspaceId", s.row.Message.WorkspaceID, "messageId", s.row.MessageID, "error", err)
	}
}

var errLeaseLost = errors.New("outbound: the lease of a message was lost")

func (s *sending) try(ctx context.Context) error {
	started, result := time.Now(), outcome{at: s.Clock.Now()}
	failed, err := s.attempt(ctx)
	if err != nil {
		return err
	}
	result.duration, result.err = time.Since(started), failed
	result.doubt = failed != nil && failed.Ambiguous && !s.rules.Idempotent
	return s.record(ctx, result)
}

// attempt sends the parts that are left. failed is how the provider refused one.
func (s *sending) attempt(ctx context.Context) (failed *provider.SendError, err error) {
	if s.row.InDoubt && !s.rules.Idempotent {
		return &provider.SendError{Kind: provider.Retryable, Detail: "The server stopped while the message was sent.", Ambiguous: true}, nil
	}
	if s.row.BlockedAt != nil {
		return &provider.SendError{Kind: provider.Blocked, Detail: "The contact has blocked the channel or opted out."}, nil
	}
	if failed, err := s.looping(ctx); failed != nil || err != nil {
		return failed, err
	}
	parts, err := s.parts(ctx)
	if err != nil {
		return nil, err
	}
	for i := int(s.row.PartsSent); i < len(parts); i++ {
		if ctx.Err() != nil && i == int(s.row.PartsSent) {
			return nil, s.giveBack(ctx)
		}
		if failed, err = s.send(ctx, i, parts[i], i == len(parts)-1); failed != nil || err != nil {
			break
		}
	}
	return failed, err
}

// looping refuses a message of an agent that has written to the contact too often in the hour
// before it. The decision depends on what is stored, not on when the message is sent.
func (s *sending) looping(ctx context.Context) (*provider.SendError, error) {
	m, c, most := s.row.Message, s.row.Conversation, s.rules.AutomaticPerHour
	if most == 0 || m.AuthorType != api.MessageAuthorTypeAGENT || c.IdentityExternalID == nil {
		return nil, nil //nolint:nilnil // it may be sent
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	count, err := db.New().MessageCountAutomatic(ctx, s.DB, db.MessageCountAutomaticParams{
		WorkspaceID: m.WorkspaceID, ChannelID: c.ChannelID, ExternalID: *c.IdentityExternalID,
		AfterID: id.Floor(m.CreatedAt.Add(-time.Hour)), BeforeID: s.row.MessageID,
	})
	if err != nil {
		return nil, fmt.Errorf("count automatic messages: %w", err)
	}
	if count < int64(most) {
		return nil, nil //nolint:nilnil // it may be sent
	}
	return &provider.SendError{
		Kind: provider.Looping, Detail: fmt.Sprintf("The agent has sent %d messages to this contact within an hour, perhaps to a machine.", count),
	}, nil
}

// send sends one part. The mark before and the record after the call tell the next worker
// whether this part is in doubt. The last part is recorded with the outcome.
func (s *sending) send(ctx context.Context, i int, p part, last bool) (failed *provider.SendError, err error) {
	// After ctx ends, a call in flight goes on and is recorded.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.rules.Timeout+2*statementTimeout)
	defer cancel()
	if !s.rules.Idempotent {
		marked, err := db.New().OutboundMarkSending(ctx, s.DB, db.OutboundMarkSendingParams{
			WorkspaceID: s.row.Message.WorkspaceID, MessageID: s.row.MessageID, Now: s.Clock.Now(), LeasedUntil: &s.leasedUntil,
		})
		if err != nil {
			return nil, fmt.Errorf("mark message: %w", err)
		} else if marked == 0 {
			return nil, errLeaseLost
		}
	}
	failpoint.Hit(failpoint.MessageMarked)
	message, err := s.outbound(ctx, i, p)
	if err != nil {
		return nil, err
	}
	calling, stop := context.WithTimeout(ctx, s.rules.Timeout)
	defer stop()
	sent, err := s.through.Provider.Send(calling, s.through.Channel, message)
	if err != nil {
		return s.explain(err), nil
	}
	failpoint.Hit(failpoint.MessageSent)
	s.externalIDs, s.status = append(s.externalIDs, sent.ExternalIDs...), sent.Status
	if sent.Thread != "" {
		s.thread = sent.Thread
	}
	if last {
		return nil, nil //nolint:nilnil // it was sent
	}
	return nil, s.recordPart(ctx, i+1, sent.ExternalIDs)
}

// explain returns the error of a Send. A provider that fails in another way may have sent it.
func (s *sending) explain(err error) *provider.SendError {
	if failed, ok := errors.AsType[*provider.SendError](err); ok {
		return failed
	}
	return &provider.SendError{Kind: provider.Retryable, Detail: "The provider's response cannot be read.", Ambiguous: true, Cause: err}
}

// outbound is a part as the provider gets it.
func (s *sending) outbound(ctx context.Context, i int, p part) (provider.Outbound, error) {
	replyTo, references, err := s.references(ctx)
	if err != nil {
		return provider.Outbound{}, err
	}
	c := s.row.Conversation
	m := provider.Outbound{
		Key: s.row.MessageID.String() + "-" + strconv.Itoa(i), MessageID: s.row.MessageID, Text: p.text, Attachments: p.attachments, Template: p.template,
		To: orElse(s.row.Address, c.IdentityExternalID), Thread: deref(c.ThreadExternalID), Subject: deref(c.Subject),
		ReplyTo: replyTo, References: references, Automatic: s.row.Message.AuthorType == api.MessageAuthorTypeAGENT,
		ConversationToken: s.Conversations.Addresses.Token(c),
	}
	return m, nil
}

func orElse(first, second *string) string {
	if first != nil {
		return *first
	}
	return deref(second)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

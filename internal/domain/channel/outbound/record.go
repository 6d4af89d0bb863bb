package outbound

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres"
)

// backoff is the wait after each failed attempt; the last one repeats.
var backoff = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
}

const (
	// giveUpAfter is how old a message is when it fails permanently.
	giveUpAfter = 24 * time.Hour
	// maxRetryAfter bounds what a provider may ask for.
	maxRetryAfter = time.Hour
	// jitter varies each wait by this fraction, either way.
	jitter = 0.1
	// maxExpired is how many messages one transaction lets fail.
	maxExpired = 100
)

// next is what follows an attempt.
type next struct {
	status api.DeliveryStatus
	at     *time.Time // of the next attempt; nil if the outcome is final
}

// follow decides what follows an attempt.
func (s *sending) follow(result outcome) next {
	switch failed := result.err; {
	case failed == nil && s.status != "":
		return next{status: s.status}
	case failed == nil:
		return next{status: api.DeliveryStatusSENT}
	case result.doubt:
		return next{status: api.DeliveryStatusUNCONFIRMED}
	case failed.Kind == provider.Retryable, failed.Kind == provider.Credentials:
		at := result.at.Add(wait(int(s.row.Tries), failed.RetryAfter))
		if at.Before(s.row.Message.CreatedAt.Add(giveUpAfter)) {
			return next{status: api.DeliveryStatusQUEUED, at: &at}
		}
	}
	return next{status: api.DeliveryStatusFAILED}
}

// wait returns the wait after a number of attempts, at least what the provider asks for.
func wait(tries int, retryAfter time.Duration) time.Duration {
	d := backoff[max(0, min(tries-1, len(backoff)-1))]
	d += time.Duration((rand.Float64()*2 - 1) * jitter * float64(d))
	return max(d, min(retryAfter, maxRetryAfter))
}

// record stores the outcome of an attempt, and what it says about the channel.
func (s *sending) record(ctx context.Context, result outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	following := s.follow(result)
	err := postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		c := s.row.Conversation
		if err := s.Conversations.RecordAttempt(ctx, tx, c.WorkspaceID, c.ID, s.row.MessageID, s.describe(result, following)); err != nil {
			return err
		}
		if result.err != nil && result.err.Kind == provider.Blocked && c.IdentityExternalID != nil {
			block := provider.Block{From: *c.IdentityExternalID, On: true}
			if err := s.Conversations.ApplyBlock(ctx, tx, s.through.Row, block); err != nil {
				return err
			}
		}
		failpoint.Hit(failpoint.OutcomeRecorded)
		return s.dequeue(ctx, tx, result, following)
	})
	if err != nil {
		return err
	}
	return s.recordHealth(ctx, result)
}

// dequeue removes the message from the queue, or reschedules it, if it is still leased.
func (s *sending) dequeue(ctx context.Context, tx postgres.Tx, result outcome, following next) error {
	if following.at == nil {
		return remove(ctx, tx, db.OutboundDeleteParams{
			WorkspaceID: s.row.Message.WorkspaceID, MessageID: s.row.MessageID, LeasedUntil: &s.leasedUntil, NextAt: result.at.Add(s.rules.ContactInterval),
		})
	}
	rescheduled, err := db.New().OutboundReschedule(ctx, tx, db.OutboundRescheduleParams{
		WorkspaceID: s.row.Message.WorkspaceID, MessageID: s.row.MessageID, LeasedUntil: &s.leasedUntil, NextAttemptAt: *following.at,
	})
	if err != nil {
		return fmt.Errorf("update queue: %w", err)
	} else if rescheduled == 0 {
		return errLeaseLost
	}
	return nil
}

// remove removes a message from the queue.
func remove(ctx context.Context, tx postgres.Tx, message db.OutboundDeleteParams) error {
	removed, err := db.New().OutboundDelete(ctx, tx, message)
	switch {
	case postgres.IsNotFound(err), err == nil && !removed:
		return errLeaseLost
	case err != nil:
		return fmt.Errorf("update queue: %w", err)
	}
	return nil
}

// attempted maps the status of a message after an attempt to the outcome of the attempt.
var attempted = map[api.DeliveryStatus]api.MessageAttemptOutcome{
	api.DeliveryStatusQUEUED: api.MessageAttemptOutcomeRETRYING, api.DeliveryStatusSENT: api.MessageAttemptOutcomeSENT,
	api.DeliveryStatusDELIVERED: api.MessageAttemptOutcomeSENT, api.DeliveryStatusFAILED: api.MessageAttemptOutcomeFAILED,
	api.DeliveryStatusUNCONFIRMED: api.MessageAttemptOutcomeUNCONFIRMED,
}

// describe is an attempt as it is stored with the message.
func (s *sending) describe(result outcome, following next) conversation.Outcome {
	described := conversation.Outcome{
		Status: following.status, ExternalIDs: s.externalIDs, Thread: s.thread,
		Attempt: conversation.Attempt{At: result.at, Duration: result.duration, Outcome: attempted[following.status]},
	}
	if failed := result.err; failed != nil {
		described.Attempt.Failure = &conversation.Failure{
			Code: api.MessageErrorCode(failed.Kind), ProviderCode: failed.Code, Detail: provider.Redact(s.through.Channel, failed.Detail),
		}
	}
	return described
}

// recordHealth updates the channel: what its owner should know, and when it may send again.
func (s *sending) recordHealth(ctx context.Context, result outcome) error {
	q, workspaceID, channelID := db.New(), s.row.Message.WorkspaceID, s.row.Conversation.ChannelID
	failed := result.err
	if failed == nil {
		if !s.wasFailing(s.through.Row) {
			return nil
		}
		if err := q.ChannelRecordSuccess(ctx, s.DB, db.ChannelRecordSuccessParams{WorkspaceID: workspaceID, ID: channelID}); err != nil {
			return fmt.Errorf("record health of channel: %w", err)
		}
		s.noteFailing(channelID, false)
		return nil
	}
	if failed.WholeChannel && failed.RetryAfter > 0 {
		until := result.at.Add(min(failed.RetryAfter, maxRetryAfter))
		if err := q.ChannelDeferSends(ctx, s.DB, db.ChannelDeferSendsParams{WorkspaceID: workspaceID, ID: channelID, Until: until}); err != nil {
			return fmt.Errorf("defer sends of channel: %w", err)
		}
	}
	if failed.Kind != provider.Credentials && failed.Kind != provider.Retryable {
		return nil // it is about the message or the contact
	}
	s.noteFailing(channelID, true)
	code, message := string(failed.Kind), provider.Redact(s.through.Channel, failed.Detail)
	err := q.ChannelRecordFailure(ctx, s.DB, db.ChannelRecordFailureParams{
		WorkspaceID: workspaceID, ID: channelID, At: &result.at, Fatal: failed.Kind == provider.Credentials,
		ErrorCode: &code, ErrorMessage: &message,
	})
	if err != nil {
		return fmt.Errorf("record health of channel: %w", err)
	}
	return nil
}

// recordPart records that a part was sent, with its provider's IDs: a delivery report may
// arrive before the message is complete.
func (s *sending) recordPart(ctx context.Context, sent int, externalIDs []string) error {
	return postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		q := db.New()
		recorded, err := q.OutboundRecordPart(ctx, tx, db.OutboundRecordPartParams{
			WorkspaceID: s.row.Message.WorkspaceID, MessageID: s.row.MessageID, PartsSent: int32(sent), LeasedUntil: &s.leasedUntil,
		})
		if err != nil {
			return fmt.Errorf("record part: %w", err)
		} else if recorded == 0 {
			return errLeaseLost
		}
		err = q.MessageExternalIDAdd(ctx, tx, db.MessageExternalIDAddParams{
			WorkspaceID: s.row.Message.WorkspaceID, ChannelID: s.row.Conversation.ChannelID, MessageID: s.row.MessageID,
			ExternalIDs: externalIDs, CreatedAt: s.Clock.Now(),
		})
		if err != nil {
			return fmt.Errorf("record external IDs: %w", err)
		}
		return nil
	})
}

// giveBack returns a message to the queue that was claimed and not sent.
func (s *sending) giveBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	err := db.New().OutboundRelease(ctx, s.DB, db.OutboundReleaseParams{WorkspaceID: s.row.Message.WorkspaceID, MessageID: s.row.MessageID, LeasedUntil: &s.leasedUntil})
	if err != nil {
		return fmt.Errorf("give back message: %w", err)
	}
	return context.Canceled
}

// expireAll lets messages fail that are too old, or whose channel was deleted.
func (e *Engine) expireAll(ctx context.Context) {
	for ctx.Err() == nil {
		if err := e.expire(ctx); err != nil && ctx.Err() == nil {
			e.Log.WarnContext(ctx, "old messages not ended", "error", err)
		}
		timer := time.NewTimer(expiryInterval)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (e *Engine) expire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := e.Clock.Now()
	rows, err := db.New().SystemOutboundExpiredList(ctx, e.DB, db.SystemOutboundExpiredListParams{Before: now.Add(-giveUpAfter), Now: now, RowLimit: maxExpired})
	if err != nil {
		return fmt.Errorf("list old messages: %w", err)
	}
	for _, row := range rows {
		failure := conversation.Failure{Code: api.MessageErrorCodeProviderUnavailable, Detail: "The message could not be sent within 24 hours."}
		if row.DeletedAt != nil {
			failure = conversation.Failure{Code: api.MessageErrorCodeChannelDeleted, Detail: "The channel was deleted before the message was sent."}
		} else if row.ErrorCode != nil && api.MessageErrorCode(*row.ErrorCode).Valid() {
			failure.Code = api.MessageErrorCode(*row.ErrorCode)
		}
		if err := e.end(ctx, row, failure); err != nil && !errors.Is(err, errLeaseLost) {
			return err
		}
	}
	return nil
}

// end lets a message fail, unless a worker has claimed it meanwhile.
func (e *Engine) end(ctx context.Context, row db.SystemOutboundExpiredListRow, failure conversation.Failure) error {
	return postgres.WithTx(ctx, e.DB, func(ctx context.Context, tx postgres.Tx) error {
		if err := e.Conversations.Fail(ctx, tx, row.WorkspaceID, row.MessageID, failure); err != nil {
			return err
		}
		return remove(ctx, tx, db.OutboundDeleteParams{WorkspaceID: row.WorkspaceID, MessageID: row.MessageID, LeasedUntil: row.LeasedUntil, NextAt: e.Clock.Now()})
	})
}

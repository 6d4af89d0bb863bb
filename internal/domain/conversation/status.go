package conversation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/openapi/timestamp"
)

const (
	// maxReported is how many messages one delivery report covers.
	maxReported = 500
	// reportedFor is how old they are at most.
	reportedFor = 30 * 24 * time.Hour
	maxDetail   = 1_000 // characters of an error's description
)

// rank orders delivery statuses: a message never moves to a lower one. What the contact
// has received was delivered, even if the provider reported a failure before.
var rank = map[api.DeliveryStatus]int{
	api.DeliveryStatusQUEUED: 0, api.DeliveryStatusUNCONFIRMED: 1, api.DeliveryStatusSENT: 2, //nolint:mnd // ranks
	api.DeliveryStatusFAILED: 3, api.DeliveryStatusDELIVERED: 4, api.DeliveryStatusREAD: 5, //nolint:mnd // ranks
}

// Failure is why a message could not be delivered. ProviderCode is the provider's own code,
// empty if there is none.
type Failure struct {
	Code         api.MessageErrorCode
	Detail       string
	ProviderCode string
}

// Attempt is one attempt to send a message.
type Attempt struct {
	At       time.Time
	Duration time.Duration
	Outcome  api.MessageAttemptOutcome
	Failure  *Failure
}

// Outcome is what an attempt to send a message led to. Status is QUEUED if the message will
// be sent again. ExternalIDs and Thread are the provider's.
type Outcome struct {
	Status      api.DeliveryStatus
	Attempt     Attempt
	ExternalIDs []string
	Thread      string
}

// RecordAttempt records an attempt to send a message. It locks the conversation. A delivery
// report may have been faster: then the message keeps its status.
func (s *Service) RecordAttempt(ctx context.Context, tx postgres.Tx, workspaceID, conversationID, messageID uuid.UUID, outcome Outcome) error {
	row, message, err := lockMessageIn(ctx, tx, workspaceID, conversationID, messageID)
	if err != nil {
		return err
	}
	if err := addExternalIDs(ctx, tx, row, messageID, s.Clock.Now(), outcome.ExternalIDs...); err != nil {
		return err
	}
	if outcome.Thread != "" {
		err := db.New().ConversationSetThread(ctx, tx, db.ConversationSetThreadParams{WorkspaceID: workspaceID, ID: row.ID, ThreadExternalID: externalIDOrNil(outcome.Thread)})
		if err != nil {
			return fmt.Errorf("set thread: %w", err)
		}
	}
	change := delivery{status: outcome.Status, attempt: &outcome.Attempt, failure: outcome.Attempt.Failure}
	if len(outcome.ExternalIDs) > 0 {
		change.externalID = outcome.ExternalIDs[0]
	}
	return s.deliver(ctx, tx, row, []db.Message{message}, change)
}

// Fail records that a message will not be sent. It locks the conversation.
func (s *Service) Fail(ctx context.Context, tx postgres.Tx, workspaceID, messageID uuid.UUID, failure Failure) error {
	row, message, err := s.lockMessage(ctx, tx, workspaceID, messageID)
	if err != nil {
		return err
	}
	return s.deliver(ctx, tx, row, []db.Message{message}, delivery{status: api.DeliveryStatusFAILED, failure: &failure})
}

// ApplyStatus applies a provider's delivery report, and reports whether it is about a known
// message. A report that would move a message back is ignored. It locks the conversations.
func (s *Service) ApplyStatus(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.Status) (known bool, err error) {
	messages, err := s.reported(ctx, tx, channel, in)
	if err != nil || len(messages) == 0 {
		return false, err
	}
	change := delivery{status: in.Status}
	if in.Status == api.DeliveryStatusFAILED {
		change.failure = &Failure{Code: api.MessageErrorCode(in.Kind), Detail: in.Detail, ProviderCode: in.Code}
		if !change.failure.Code.Valid() {
			change.failure.Code = api.MessageErrorCodeRejectedByProvider
		}
	}
	byConversation := map[uuid.UUID][]uuid.UUID{}
	ids := make([]uuid.UUID, len(messages))
	for i, one := range messages {
		byConversation[one.ConversationID] = append(byConversation[one.ConversationID], one.ID)
		ids[i] = one.ConversationID
	}
	rows, err := db.New().ConversationLockMany(ctx, tx, db.ConversationLockManyParams{WorkspaceID: channel.WorkspaceID, IDs: distinct(ids)})
	if err != nil {
		return false, fmt.Errorf("lock conversations: %w", err)
	}
	for _, row := range rows {
		// Read again under the lock: their status may have changed.
		locked, err := db.New().MessageListByIDs(ctx, tx, db.MessageListByIDsParams{WorkspaceID: row.WorkspaceID, IDs: byConversation[row.ID]})
		if err != nil {
			return false, fmt.Errorf("list messages: %w", err)
		}
		if err := s.deliver(ctx, tx, row, locked, change); err != nil {
			return false, err
		}
	}
	return true, nil
}

// reported returns the messages that a delivery report is about.
func (s *Service) reported(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.Status) ([]db.Message, error) {
	if in.ExternalID != "" {
		message, err := db.New().MessageByExternalID(ctx, tx, db.MessageByExternalIDParams{
			WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, ExternalID: externalID(in.ExternalID),
		})
		if postgres.IsNotFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("find message: %w", err)
		}
		return []db.Message{message}, nil
	}
	messages, err := db.New().MessageListUnread(ctx, tx, db.MessageListUnreadParams{
		WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, IdentityExternalID: externalID(in.Contact), RowLimit: maxReported,
		AfterID: id.Floor(in.Through.Add(-reportedFor)), BeforeID: id.Floor(in.Through.Add(time.Millisecond)),
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return messages, nil
}

func (s *Service) lockMessage(ctx context.Context, tx postgres.Tx, workspaceID, messageID uuid.UUID) (row db.Conversation, message db.Message, err error) {
	conversationID, err := db.New().MessageConversation(ctx, tx, db.MessageConversationParams{WorkspaceID: workspaceID, ID: messageID})
	if err := postgres.Found("find conversation of message", err); err != nil {
		return row, message, err
	}
	return lockMessageIn(ctx, tx, workspaceID, conversationID, messageID)
}

func lockMessageIn(ctx context.Context, tx postgres.Tx, workspaceID, conversationID, messageID uuid.UUID) (row db.Conversation, message db.Message, err error) {
	q := db.New()
	row, err = q.ConversationLock(ctx, tx, db.ConversationLockParams{WorkspaceID: workspaceID, ID: conversationID})
	if err != nil {
		return row, message, fmt.Errorf("lock conversation: %w", err)
	}
	message, err = q.MessageGet(ctx, tx, db.MessageGetParams{WorkspaceID: workspaceID, ConversationID: conversationID, ID: messageID})
	return row, message, postgres.Found("get message", err)
}

// delivery is a change of the delivery status of messages.
type delivery struct {
	status     api.DeliveryStatus
	attempt    *Attempt
	failure    *Failure
	externalID string
}

// deliver applies a change to messages of a locked conversation, as one revision of it.
func (s *Service) deliver(ctx context.Context, tx postgres.Tx, row db.Conversation, messages []db.Message, change delivery) error {
	var events []event.Payload
	changed := false
	for _, message := range messages {
		params, err := change.params(row, message)
		if err != nil {
			return err
		}
		if params.DeliveryStatus == message.DeliveryStatus && change.attempt == nil {
			continue
		}
		changed = true
		after, err := db.New().MessageSetDelivery(ctx, tx, params)
		if err != nil {
			return fmt.Errorf("set delivery status: %w", err)
		}
		if after.DeliveryStatus != message.DeliveryStatus {
			events = append(events, event.MessageDeliveryChanged{Message: after, Previous: message.DeliveryStatus})
		}
	}
	if !changed {
		return nil
	}
	if err := s.touch(ctx, tx, row); err != nil {
		return err
	}
	return s.Events.Record(ctx, tx, row.WorkspaceID, s.Clock.Now(), events...)
}

func (d delivery) params(row db.Conversation, message db.Message) (db.MessageSetDeliveryParams, error) {
	params := db.MessageSetDeliveryParams{
		WorkspaceID: row.WorkspaceID, ID: message.ID, Revision: row.Revision + 1, ExternalID: externalIDOrNil(d.externalID),
		DeliveryStatus: message.DeliveryStatus, ErrorCode: message.ErrorCode, ErrorMessage: message.ErrorMessage, ProviderCode: message.ProviderCode,
	}
	if rank[d.status] > rank[message.DeliveryStatus] && message.DeliveryStatus != api.DeliveryStatusRECEIVED {
		params.DeliveryStatus, params.ErrorCode, params.ErrorMessage, params.ProviderCode = d.status, nil, nil, nil
		if f := d.failure; f != nil && d.status == api.DeliveryStatusFAILED {
			detail := clean(f.Detail, maxDetail)
			params.ErrorCode, params.ErrorMessage, params.ProviderCode = &f.Code, &detail, cleanOrNil(f.ProviderCode, maxName)
		}
	}
	if d.attempt == nil {
		return params, nil
	}
	var err error
	params.Attempt, err = json.Marshal(d.attempt.stored())
	if err != nil {
		return params, fmt.Errorf("encode attempt: %w", err)
	}
	return params, nil
}

// stored returns the attempt as it is stored, which is how the API shows it.
func (a Attempt) stored() api.MessageAttempt {
	shown := api.MessageAttempt{At: timestamp.New(a.At), DurationMs: a.Duration.Milliseconds(), Outcome: a.Outcome}
	if f := a.Failure; f != nil {
		shown.Code, shown.Detail, shown.ProviderCode = &f.Code, cleanOrNil(f.Detail, maxDetail), cleanOrNil(f.ProviderCode, maxName)
	}
	return shown
}

package channel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// notConnected describes a channel before its first check.
	notConnected = "The channel was not connected yet. Check it."
	// unreadable describes a channel whose credentials were lost with their key.
	unreadable = "The stored credentials can't be read. Set them again."
	maxError   = 500 // characters of an error's description
	maxAccount = 200 // characters
	// connectTimeout bounds the calls of a connection if the provider has no limit.
	connectTimeout = 20 * time.Second
	// disconnectTries is how often a provider is asked to forget a hook.
	disconnectTries = 5
)

// Checked is the outcome of a check.
type Checked struct{ outcome db.ChannelRecordCheckParams }

// Check asks the provider who the credentials of a channel belong to, and registers the
// channel's hook. It calls the provider, so it must not run in a transaction: RecordCheck
// stores the outcome. A disabled channel is not checked. It fails with postgres.ErrNotFound.
func (s *Service) Check(ctx context.Context, workspaceID, channelID uuid.UUID) (Checked, error) {
	row, err := get(ctx, s.DB, workspaceID, channelID)
	if err != nil {
		return Checked{}, err
	}
	var c Checked
	if row.Status != api.ChannelStatusDISABLED {
		c.outcome = s.connect(ctx, row)
	}
	c.outcome.WorkspaceID, c.outcome.ID, c.outcome.CheckedAt, c.outcome.UpdatedAt = workspaceID, channelID, row.UpdatedAt, s.Clock.Now()
	if c.outcome.ErrorCode != nil {
		c.outcome.ErrorAt = &c.outcome.UpdatedAt
	}
	return c, nil
}

// RecordCheck records the outcome of a check, unless the channel has changed meanwhile or is
// disabled, and returns the channel as it is then. It fails with postgres.ErrNotFound.
func (s *Service) RecordCheck(ctx context.Context, on postgres.Conn, c Checked) (Detail, error) {
	if c.outcome.Status != "" {
		if _, err := db.New().ChannelRecordCheck(ctx, on, c.outcome); err != nil {
			return Detail{}, fmt.Errorf("record check: %w", err)
		}
	}
	row, err := get(ctx, on, c.outcome.WorkspaceID, c.outcome.ID)
	return s.detail(row), err
}

// connect calls the provider.
func (s *Service) connect(ctx context.Context, row db.Channel) db.ChannelRecordCheckParams {
	opened, err := s.Opener.Open(row)
	if err != nil {
		return failed(row, &provider.SendError{Kind: provider.Credentials, Detail: unreadable}, unreadable)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(opened.Provider))
	defer cancel()
	account, err := opened.Provider.Check(ctx, opened.Channel)
	if connector, ok := opened.Provider.(provider.Connector); ok && err == nil {
		err = connector.Connect(ctx, opened.Channel)
	}
	if err != nil {
		s.Log.InfoContext(ctx, "channel not connected", "channelId", row.ID, "type", row.Type, "error", provider.Redact(opened.Channel, err.Error()))
		return failed(row, err, provider.Redact(opened.Channel, describe(err)))
	}
	outcome := db.ChannelRecordCheckParams{Status: api.ChannelStatusCONNECTED}
	if account = cut(account, maxAccount); account != "" {
		outcome.Account = &account
	}
	return outcome
}

// failed records an error. A channel that has worked stays connected while its provider is
// out of reach.
func failed(row db.Channel, err error, message string) db.ChannelRecordCheckParams {
	kind := provider.Permanent
	if sent, ok := errors.AsType[*provider.SendError](err); ok {
		kind = sent.Kind
	}
	code := api.ChannelErrorCode(kind)
	if !code.Valid() {
		code = api.ChannelErrorCodeRejectedByProvider
	}
	outcome := db.ChannelRecordCheckParams{Status: api.ChannelStatusERROR, ErrorCode: new(string(code)), ErrorMessage: new(cut(message, maxError))}
	if kind == provider.Retryable && row.Status == api.ChannelStatusCONNECTED {
		outcome.Status = api.ChannelStatusCONNECTED
	}
	return outcome
}

// describe returns a provider's error for the owner of the channel.
func describe(err error) string {
	if sent, ok := errors.AsType[*provider.SendError](err); ok && sent.Detail != "" {
		if sent.Code != "" {
			return fmt.Sprintf("%s (%s)", sent.Detail, sent.Code)
		}
		return sent.Detail
	}
	return "The provider could not be asked."
}

func timeout(of provider.Provider) time.Duration {
	if limit := of.Rules().Timeout; limit > 0 {
		return limit
	}
	return connectTimeout
}

// cut shortens a text that may not be valid UTF-8.
func cut(text string, characters int) string {
	runes := []rune(text) // replaces invalid bytes
	return string(runes[:min(len(runes), characters)])
}

// Disconnect is the job that removes the hook of a channel that was disabled or deleted
// from its provider, and then the credentials of a deleted one.
type Disconnect struct {
	WorkspaceID uuid.UUID `json:"workspaceId"`
	ChannelID   uuid.UUID `json:"channelId"`
}

// Kind names the job in the queue.
func (Disconnect) Kind() string { return "channel_disconnect" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Disconnect) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: disconnectTries}
}

// Queue is the queue of the jobs of channels.
const Queue = "channels"

func (s *Service) disconnectLater(ctx context.Context, tx postgres.Tx, workspaceID, channelID uuid.UUID) error {
	if _, err := s.Jobs.InsertTx(ctx, tx, Disconnect{WorkspaceID: workspaceID, ChannelID: channelID}, nil); err != nil {
		return fmt.Errorf("queue disconnection: %w", err)
	}
	return nil
}

// DisconnectWorker works on Disconnect jobs.
type DisconnectWorker struct {
	river.WorkerDefaults[Disconnect]

	Opener *Opener
}

// Work implements river.Worker. After the last attempt, the provider keeps a hook that
// nothing listens to.
func (w *DisconnectWorker) Work(ctx context.Context, job *river.Job[Disconnect]) error {
	key := db.ChannelGetParams{WorkspaceID: job.Args.WorkspaceID, ID: job.Args.ChannelID}
	row, err := db.New().ChannelGet(ctx, w.Opener.DB, key)
	if err != nil {
		return fmt.Errorf("get channel: %w", err)
	}
	if row.DeletedAt == nil && row.Status != api.ChannelStatusDISABLED {
		return nil // enabled again meanwhile
	}
	if err := w.disconnect(ctx, row); err != nil && job.Attempt < job.MaxAttempts {
		return err
	}
	if err := db.New().ChannelForget(ctx, w.Opener.DB, db.ChannelForgetParams(key)); err != nil {
		return fmt.Errorf("remove credentials: %w", err)
	}
	return nil
}

func (w *DisconnectWorker) disconnect(ctx context.Context, row db.Channel) error {
	opened, err := w.Opener.Open(row)
	if err != nil {
		return nil // no one can be asked without credentials
	}
	connector, ok := opened.Provider.(provider.Connector)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(opened.Provider))
	defer cancel()
	if err := connector.Disconnect(ctx, opened.Channel); err != nil {
		return errors.New(provider.Redact(opened.Channel, err.Error()))
	}
	return nil
}

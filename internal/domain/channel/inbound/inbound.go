// Package inbound receives what the providers of channels send: it lets the channel's type
// verify and parse a request, and stores what it contains.
package inbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// maxItems bounds what is stored of one request; providers send far fewer.
const maxItems = 1000

// ErrNoChannel means that there is no such channel, or that it receives nothing.
var ErrNoChannel = errors.New("inbound: no such channel")

// Engine stores what channels receive.
type Engine struct {
	DB            *postgres.DB
	Channels      *channel.Opener
	Conversations *conversation.Service
	Blobs         blob.Store
	IDs           *id.Generator
	Log           *slog.Logger
	// Received is called after a message was stored; it must not wait.
	Received func(conversation.Received)
	// Within is called in the transaction that stores a message; nil for nothing.
	Within func(ctx context.Context, tx postgres.Tx, received conversation.Received) error
	// Typing is called while a contact is writing; it must not wait.
	Typing func(row db.Channel, item provider.Typing)
}

// Open opens the channel of a hook. It fails with ErrNoChannel.
func (e *Engine) Open(ctx context.Context, channelID uuid.UUID) (channel.Opened, error) {
	opened, err := e.Channels.ForHook(ctx, channelID)
	if errors.Is(err, postgres.ErrNotFound) {
		return opened, ErrNoChannel
	}
	return opened, err
}

// Receive verifies and parses a request to a channel's hook. It fails with
// provider.ErrUnauthenticated or provider.ErrMalformed. After another error nothing is lost
// if the provider sends the request again.
func (e *Engine) Receive(ctx context.Context, opened channel.Opened, request provider.Request) (provider.Received, error) {
	received, err := opened.Provider.Receive(opened.Channel, request)
	if err != nil {
		return received, err
	}
	if len(received.Malformed) > 0 {
		e.Log.WarnContext(ctx, "parts of a channel's request cannot be read", "channelId", opened.Row.ID, "parts", len(received.Malformed),
			"first", provider.Redact(opened.Channel, received.Malformed[0]))
	}
	return received, nil
}

// Store stores items in their order, each in a transaction of its own. An item that was
// stored before is ignored.
func (e *Engine) Store(ctx context.Context, opened channel.Opened, items []provider.Item) error {
	for _, item := range items[:min(len(items), maxItems)] {
		if err := e.store(ctx, opened, item); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) store(ctx context.Context, opened channel.Opened, item provider.Item) error {
	switch item := item.(type) {
	case provider.Message:
		return e.message(ctx, opened, item)
	case provider.Typing:
		if e.Typing != nil {
			e.Typing(opened.Row, item)
		}
		return nil
	}
	return postgres.WithTx(ctx, e.DB, func(ctx context.Context, tx postgres.Tx) error {
		return e.apply(ctx, tx, opened, item)
	})
}

func (e *Engine) apply(ctx context.Context, tx postgres.Tx, opened channel.Opened, item provider.Item) error {
	var err error
	known := true
	switch item := item.(type) {
	case provider.Edit:
		known, err = e.Conversations.ApplyEdit(ctx, tx, opened.Row, item)
	case provider.Heard:
		known, err = e.Conversations.ApplyHeard(ctx, tx, opened.Row, item)
	case provider.Status:
		known, err = e.Conversations.ApplyStatus(ctx, tx, opened.Row, item)
	case provider.Block:
		err = e.Conversations.ApplyBlock(ctx, tx, opened.Row, item)
	case provider.End:
		known, err = e.Conversations.ApplyEnd(ctx, tx, opened.Row, item)
	default:
		err = fmt.Errorf("inbound: unexpected item %T", item)
	}
	if err == nil && !known {
		e.Log.DebugContext(ctx, "a channel's request is about what is not known", "channelId", opened.Row.ID)
	}
	return err
}

// message stores a message. Files that came with it are stored first, since storage may be
// slow and a transaction must not wait.
func (e *Engine) message(ctx context.Context, opened channel.Opened, item provider.Message) error {
	keys, err := e.storeFiles(ctx, opened.Row, item.Attachments)
	if err != nil {
		return err
	}
	var received conversation.Received
	err = postgres.WithTx(ctx, e.DB, func(ctx context.Context, tx postgres.Tx) error {
		received, err = e.Conversations.Receive(ctx, tx, opened.Row, opened.Provider.Rules(), conversation.Inbound{Message: item, BlobKeys: keys})
		failpoint.Hit(failpoint.MessageReceived)
		if err == nil && e.Within != nil && !received.Duplicate {
			err = e.Within(ctx, tx, received)
		}
		return err
	})
	if err != nil || received.Duplicate {
		e.deleteFiles(ctx, keys)
	}
	if err != nil || received.Duplicate {
		return err
	}
	failpoint.Hit(failpoint.MessageStored)
	if e.Received != nil {
		e.Received(received)
	}
	return nil
}

// storeFiles puts the contents of attachments into the file storage, and returns the key of
// each; "" for those without content.
func (e *Engine) storeFiles(ctx context.Context, row db.Channel, attachments []provider.Attachment) ([]string, error) {
	keys := make([]string, len(attachments))
	for i, one := range attachments {
		if one.Content == nil {
			continue
		}
		fileID, _ := e.IDs.New()
		keys[i] = AttachmentKey(row.WorkspaceID, fileID)
		if err := e.Blobs.Put(ctx, keys[i], bytes.NewReader(one.Content), int64(len(one.Content))); err != nil {
			e.deleteFiles(ctx, keys[:i])
			return nil, fmt.Errorf("store attachment: %w", err)
		}
	}
	return keys, nil
}

func (e *Engine) deleteFiles(ctx context.Context, keys []string) {
	for _, key := range keys {
		if key == "" {
			continue
		}
		if err := e.Blobs.Delete(ctx, key); err != nil {
			e.Log.WarnContext(ctx, "file of a message that was not stored stays", "key", key, "error", err)
		}
	}
}

// AttachmentKey is the key of a file of a message in the file storage.
func AttachmentKey(workspaceID, fileID uuid.UUID) string {
	return "attachments/" + workspaceID.String() + "/" + fileID.String()
}

// Listened stores what a Listener has received, with its state.
func (e *Engine) Listened(ctx context.Context, opened channel.Opened, items []provider.Item, state json.RawMessage) error {
	if err := e.Store(ctx, opened, items); err != nil {
		return err
	}
	return e.Channels.SetState(ctx, opened.Row.WorkspaceID, opened.Row.ID, state)
}

// Package seed gives tests of domain packages a database with two workspaces, and inserts
// rows that no service creates.
package seed

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

// Start is what the clock of a new World shows.
var Start = time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)

// World is a database with two workspaces, and what services are built from.
type World struct {
	DB           *postgres.DB
	Clock        *clock.Fake
	IDs          *id.Generator
	Pages        *page.Codec
	Recorder     *event.Recorder // stores events in the form of the API
	Ours, Theirs uuid.UUID
}

// New returns a World that is dropped after the test.
func New(t *testing.T) *World {
	t.Helper()
	w := &World{DB: testdb.New(t), Clock: clock.NewFake(Start), Pages: page.NewCodec([]byte("seed"))}
	w.IDs = id.NewGenerator(w.Clock)
	w.Recorder = &event.Recorder{IDs: w.IDs, Encode: representation.EncodeEvent}
	w.Ours, w.Theirs = w.Workspace(t, "ours"), w.Workspace(t, "theirs")
	return w
}

// Workspace inserts a workspace.
func (w *World) Workspace(t *testing.T, slug string) uuid.UUID {
	t.Helper()
	row, err := (&workspace.Service{DB: w.DB, IDs: w.IDs}).Create(t.Context(), slug, slug)
	require.NoError(t, err)
	return row.ID
}

// Exec runs a statement.
func (w *World) Exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Scan runs a query for one row and reads its columns into dest.
func (w *World) Scan(t *testing.T, dest []any, sql string, args ...any) {
	t.Helper()
	require.NoError(t, w.DB.QueryRow(t.Context(), sql, args...).Scan(dest...))
}

// Count runs a query for one number.
func (w *World) Count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	w.Scan(t, []any{&n}, sql, args...)
	return n
}

func (w *World) insert(t *testing.T, sql string, args ...any) uuid.UUID {
	t.Helper()
	rowID, now := w.IDs.New()
	w.Exec(t, sql, append([]any{rowID, now}, args...)...)
	return rowID
}

// Agent inserts an agent.
func (w *World) Agent(t *testing.T, space uuid.UUID, name string) uuid.UUID {
	t.Helper()
	return w.insert(t, `INSERT INTO agents (id, created_at, updated_at, workspace_id, name, status, model_provider, model_name, temperature, max_tokens)
		VALUES ($1, $2, $2, $3, $4, 'PUBLISHED', 'openai', 'gpt', 1, 1024)`, space, name)
}

// Channel inserts a channel of an agent.
func (w *World) Channel(t *testing.T, space, agent uuid.UUID, kind api.ChannelType) uuid.UUID {
	t.Helper()
	return w.insert(t, "INSERT INTO channels (id, created_at, workspace_id, agent_id, type, name) VALUES ($1, $2, $3, $4, $5, $5)", space, agent, kind)
}

// Operator inserts an operator.
func (w *World) Operator(t *testing.T, space uuid.UUID, name string) uuid.UUID {
	t.Helper()
	return w.insert(t, "INSERT INTO operators (id, created_at, workspace_id, name) VALUES ($1, $2, $3, $4)", space, name)
}

// Tag inserts a tag.
func (w *World) Tag(t *testing.T, space uuid.UUID, name string) uuid.UUID {
	t.Helper()
	return w.insert(t, "INSERT INTO tags (id, created_at, workspace_id, name) VALUES ($1, $2, $3, $4)", space, name)
}

// Conversation is a conversation to insert. Without an agent and a channel it gets new ones.
type Conversation struct {
	Agent, Channel     uuid.UUID
	Status             api.ConversationStatus
	Operator           *uuid.UUID
	Tags               []uuid.UUID
	HandedOff, Replied *time.Time
}

// Conversation inserts a conversation with its contact, who has an identity in the channel.
func (w *World) Conversation(t *testing.T, space uuid.UUID, in Conversation) uuid.UUID {
	t.Helper()
	if in.Agent == uuid.Nil {
		in.Agent = w.Agent(t, space, "Agent")
	}
	if in.Channel == uuid.Nil {
		in.Channel = w.Channel(t, space, in.Agent, api.ChannelTypeWEBSITE)
	}
	contact := w.insert(t, "INSERT INTO contacts (id, created_at, workspace_id, name) VALUES ($1, $2, $3, 'Anna')", space)
	w.Exec(t, `INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, created_at, last_seen_at)
		VALUES ($1, $2, $3::uuid::text, $3, false, $4, $4)`, space, in.Channel, contact, w.Clock.Now())
	conversation := w.insert(t, `INSERT INTO conversations (id, created_at, updated_at, last_inbound_at, workspace_id, agent_id, channel_id, contact_id, status,
			assigned_operator_id, handed_off_at, first_operator_reply_at, identity_external_id) VALUES ($1, $2, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $6::uuid::text)`,
		space, in.Agent, in.Channel, contact, in.Status, in.Operator, in.HandedOff, in.Replied)
	require.NoError(t, db.New().AnalyticsCountConversations(t.Context(), w.DB, db.AnalyticsCountConversationsParams{
		WorkspaceID: space, ConversationIDs: []uuid.UUID{conversation}, N: 1,
	}))
	for _, tag := range in.Tags {
		w.Exec(t, "INSERT INTO conversation_tags (workspace_id, conversation_id, tag_id) VALUES ($1, $2, $3)", space, conversation, tag)
	}
	return conversation
}

// Event is a recorded event.
type Event struct {
	Sequence int64
	Type     api.EventType
	At       time.Time
	Data     json.RawMessage
}

// Sequence numbers the events that are committed, as workers do.
func (w *World) Sequence(t *testing.T) {
	t.Helper()
	require.NoError(t, (&event.Sequencer{DB: w.DB}).Sequence(t.Context()))
}

// Events returns the recorded events of a workspace in order.
func (w *World) Events(t *testing.T, space uuid.UUID) []Event {
	t.Helper()
	w.Sequence(t)
	rows, err := w.DB.Query(t.Context(), "SELECT sequence, type, occurred_at, data FROM events WHERE workspace_id = $1 ORDER BY sequence", space)
	require.NoError(t, err)
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var one Event
		require.NoError(t, rows.Scan(&one.Sequence, &one.Type, &one.At, &one.Data))
		events = append(events, one)
	}
	require.NoError(t, rows.Err())
	return events
}

// Read decodes the data of an event.
func Read[Data any](t *testing.T, e Event) (data Data) {
	t.Helper()
	require.NoError(t, json.Unmarshal(e.Data, &data))
	return data
}

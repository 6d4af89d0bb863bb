package conversation_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/testing/seed"
)

// queue records the jobs that are inserted, or fails with err.
type queue struct {
	mu   sync.Mutex
	jobs []river.JobArgs
	err  error
}

// InsertTx implements conversation.Jobs.
func (q *queue) InsertTx(_ context.Context, _ pgx.Tx, args river.JobArgs, _ *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.jobs = append(q.jobs, args)
	}
	return &rivertype.JobInsertResult{}, q.err
}

type fixture struct {
	*seed.World

	conversations *conversation.Service
	queue         *queue
	agent         uuid.UUID
	channel       uuid.UUID
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t), queue: &queue{}}
	f.agent = f.Agent(t, f.Ours, "Concierge")
	f.channel = f.Channel(t, f.Ours, f.agent, api.ChannelTypeTELEGRAM)
	f.conversations = &conversation.Service{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages, Jobs: f.queue, Events: f.Recorder}
	return f
}

// open inserts a conversation of the fixture's agent and channel.
func (f *fixture) open(t *testing.T, status api.ConversationStatus, tags ...uuid.UUID) uuid.UUID {
	t.Helper()
	return f.Conversation(t, f.Ours, seed.Conversation{Agent: f.agent, Channel: f.channel, Status: status, Tags: tags})
}

func (f *fixture) apply(t *testing.T, bulk conversation.Bulk) conversation.BulkResult {
	t.Helper()
	result, err := f.conversations.Apply(t.Context(), f.DB, f.Ours, bulk)
	require.NoError(t, err)
	return result
}

func (f *fixture) get(t *testing.T, conversationID uuid.UUID) conversation.Detail {
	t.Helper()
	found, err := f.conversations.Get(t.Context(), f.Ours, conversationID)
	require.NoError(t, err)
	return found
}

// messages returns the messages of a conversation, oldest first.
func (f *fixture) messages(t *testing.T, conversationID uuid.UUID) []db.Message {
	t.Helper()
	var all []db.Message
	for transcript := f.get(t, conversationID).Transcript; ; {
		batch, err := transcript.Next(t.Context())
		require.NoError(t, err)
		if len(batch) == 0 {
			return all
		}
		all = append(all, batch...)
	}
}

// conversationData is the data of a conversation event.
type conversationData struct {
	Conversation struct {
		ID                 uuid.UUID              `json:"id"`
		Status             api.ConversationStatus `json:"status"`
		AssignedOperatorID *uuid.UUID             `json:"assignedOperatorId"`
	} `json:"conversation"`
	PreviousOperatorID *uuid.UUID `json:"previousOperatorId"`
	Added, Removed     []api.Tag
}

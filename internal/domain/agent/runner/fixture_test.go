package runner_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/agent/retrieval"
	"github.com/avelto/convo/internal/domain/agent/runner"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

type fixture struct {
	*seed.World

	conversations *conversation.Service
	models        *scripted.Provider
	providers     model.Registry
	agent         uuid.UUID
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t), models: scripted.New(scripted.Says("We do. [1]"))}
	f.providers = model.Registry{scripted.Name: f.models, builtin.Name: builtin.Provider{}}
	f.Clock.Advance(123_456 * time.Nanosecond) // the database stores milliseconds
	f.conversations = &conversation.Service{
		DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages, Events: f.Recorder,
		Providers: provider.Registry{}, Addresses: conversation.NewAddresses([]byte("fixture")),
	}
	f.agent = f.newAgent(t, f.Ours, scripted.Name)
	for _, space := range []uuid.UUID{f.Ours, f.Theirs} {
		f.teach(t, space, "Delivery", "We deliver shoes to Norway within 6 days.")
	}
	return f
}

func (f *fixture) newAgent(t *testing.T, space uuid.UUID, provider string) uuid.UUID {
	t.Helper()
	agent := f.Agent(t, space, "Concierge")
	f.Exec(t, "UPDATE agents SET model_provider = $1, status = 'PUBLISHED' WHERE id = $2", provider, agent)
	return agent
}

// teach adds a passage to a knowledge base.
func (f *fixture) teach(t *testing.T, space uuid.UUID, heading, text string) {
	t.Helper()
	sourceID, _ := f.IDs.New()
	require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		return knowledge.Load(ctx, tx, f.IDs, space, knowledge.Loaded{
			SourceID: sourceID, FileName: heading + ".md", Sections: []extract.Section{{Heading: heading, Text: text}},
		})
	}))
}

// runner returns a runner that is as another process.
func (f *fixture) runner() *runner.Runner {
	finder := retrieval.Finder{Search: (&knowledge.Service{DB: f.DB}).Search}
	return runner.New(runner.Options{
		DB: f.DB, Conversations: f.conversations, Clock: f.Clock, Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond,
		Leads: &lead.Service{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Events: f.Recorder},
		Engine: &reply.Engine{Models: f.providers, Search: finder.Find,
			Ledger: &spending.Ledger{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Log: slog.New(slog.DiscardHandler)}},
	})
}

// run runs a runner until the end of the test, or until stop is called.
func (f *fixture) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.runner().Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

// visitor is someone who writes through a channel.
type visitor struct {
	channel  db.Channel
	id       string
	verified bool
}

func (f *fixture) visitor(t *testing.T, space, agent uuid.UUID, kind api.ChannelType) visitor {
	t.Helper()
	row, err := db.New().ChannelGet(t.Context(), f.DB, db.ChannelGetParams{WorkspaceID: space, ID: f.Channel(t, space, agent, kind)})
	require.NoError(t, err)
	return visitor{channel: row, id: uuid.NewString()}
}

// writes stores a message of a visitor.
func (f *fixture) writes(t *testing.T, v visitor, text string) conversation.Received {
	t.Helper()
	return f.receives(t, v, provider.Message{Text: text})
}

func (f *fixture) receives(t *testing.T, v visitor, in provider.Message) (received conversation.Received) {
	t.Helper()
	in.ExternalID, in.From = uuid.NewString(), provider.Identity{ExternalID: v.id, Verified: v.verified}
	require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
		received, err = f.conversations.Receive(ctx, tx, v.channel, provider.Rules{}, conversation.Inbound{Message: in})
		return err
	}))
	return received
}

// ended waits until a conversation has this many runs that have ended, and returns them, oldest
// first.
func (f *fixture) ended(t *testing.T, conversationID uuid.UUID, n int) []db.AgentRun {
	t.Helper()
	f.eventually(t, func() bool {
		return f.Count(t, "SELECT count(*) FROM agent_runs WHERE conversation_id = $1 AND outcome IS NOT NULL", conversationID) == n
	})
	var ids []uuid.UUID
	f.Scan(t, []any{&ids}, "SELECT array_agg(id ORDER BY id) FROM agent_runs WHERE conversation_id = $1 AND outcome IS NOT NULL", conversationID)
	runs := make([]db.AgentRun, len(ids))
	for i, id := range ids {
		var space uuid.UUID
		f.Scan(t, []any{&space}, "SELECT workspace_id FROM agent_runs WHERE id = $1", id)
		row, err := db.New().AgentRunGet(t.Context(), f.DB, db.AgentRunGetParams{WorkspaceID: space, ID: id})
		require.NoError(t, err)
		runs[i] = row
	}
	return runs
}

// replies returns what the agent has written in a conversation.
func (f *fixture) replies(t *testing.T, conversationID uuid.UUID) (texts []string) {
	t.Helper()
	f.Scan(t, []any{&texts}, "SELECT coalesce(array_agg(content ORDER BY id), '{}') FROM messages WHERE conversation_id = $1 AND author_type = 'AGENT'", conversationID)
	return texts
}

func (f *fixture) status(t *testing.T, conversationID uuid.UUID) (status api.ConversationStatus) {
	t.Helper()
	f.Scan(t, []any{&status}, "SELECT status FROM conversations WHERE id = $1", conversationID)
	return status
}

// eventually waits for a condition. On a slow machine a statement may take too long, after which
// a run begins again once its lease has ended: for that, the clock moves if nothing else does.
func (f *fixture) eventually(t *testing.T, condition func() bool) {
	t.Helper()
	const patience = 30 * time.Second
	began := time.Now()
	require.Eventually(t, func() bool {
		if time.Since(began) > patience {
			began = time.Now()
			f.Clock.Advance(16 * time.Second)
		}
		return condition()
	}, 3*time.Minute, 10*time.Millisecond)
}

func types(events []seed.Event) (all []api.EventType) {
	for _, one := range events {
		all = append(all, one.Type)
	}
	return all
}

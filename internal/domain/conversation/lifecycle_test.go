package conversation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func begin(t *testing.T, f *fixture) pgx.Tx {
	t.Helper()
	tx, err := f.DB.Pool().Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) })
	return tx
}

func TestEachMoveOfAConversation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := f.conversations
	handOff := func(ctx context.Context, on postgres.Conn, workspaceID, id uuid.UUID) (db.ConversationGetRow, error) {
		return s.HandOff(ctx, on, workspaceID, id, conversation.HandOff{})
	}
	type operation func(context.Context, postgres.Conn, uuid.UUID, uuid.UUID) (db.ConversationGetRow, error)
	operations := map[string]operation{"hand-off": handOff, "release": s.Release, "close": s.Close, "reopen": s.Reopen}
	for _, one := range []struct {
		operation string
		from, to  api.ConversationStatus
		event     api.EventType
		err       error
	}{
		{"hand-off", open, handedOff, api.EventTypeConversationHandedOff, nil},
		{"hand-off", handedOff, handedOff, "", nil},
		{"hand-off", closed, closed, "", conversation.ErrClosed},
		{"release", open, open, "", nil},
		{"release", handedOff, open, api.EventTypeConversationReleased, nil},
		{"release", closed, closed, "", conversation.ErrClosed},
		{"close", open, closed, api.EventTypeConversationClosed, nil},
		{"close", handedOff, closed, api.EventTypeConversationClosed, nil},
		{"close", closed, closed, "", nil},
		{"reopen", open, open, "", nil},
		{"reopen", handedOff, handedOff, "", nil},
		{"reopen", closed, open, api.EventTypeConversationReopened, nil},
	} {
		name := one.operation + " " + string(one.from)
		subject, before := f.open(t, one.from), len(f.Events(t, f.Ours))
		f.Clock.Advance(time.Minute)
		row, err := operations[one.operation](t.Context(), f.DB, f.Ours, subject)
		require.ErrorIs(t, err, one.err, name)
		found := f.get(t, subject).Conversation
		require.Equal(t, one.to, found.Status, name)
		events := f.Events(t, f.Ours)[before:]
		changes := f.Count(t, "SELECT count(*) FROM conversation_status_changes WHERE conversation_id = $1", subject)
		if one.event == "" {
			require.Empty(t, events, name)
			require.Zero(t, found.Revision, name)
			require.Zero(t, changes, name)
			continue
		}
		require.Equal(t, found, row.Conversation, name)
		require.Equal(t, []api.EventType{one.event}, types(events), name)
		require.Equal(t, one.to, seed.Read[conversationData](t, events[0]).Conversation.Status, name)
		require.Equal(t, int64(1), found.Revision, name)
		require.Equal(t, 1, changes, name)
	}
	for name, run := range operations {
		for _, absent := range []uuid.UUID{uuid.New(), f.Conversation(t, f.Theirs, seed.Conversation{Status: open})} {
			_, err := run(t.Context(), f.DB, f.Ours, absent)
			require.ErrorIs(t, err, postgres.ErrNotFound, name)
		}
	}
}

func TestHandOffAssignsAndGivesAReason(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ola, jan, theirs := f.Operator(t, f.Ours, "Ola"), f.Operator(t, f.Ours, "Jan"), f.Operator(t, f.Theirs, "Eve")
	subject := f.open(t, open)
	handOff := func(operator uuid.UUID, reason string) (db.ConversationGetRow, error) {
		return f.conversations.HandOff(t.Context(), f.DB, f.Ours, subject, conversation.HandOff{OperatorID: &operator, Reason: reason})
	}
	var unknown *conversation.UnknownOperatorError
	_, err := handOff(theirs, "")
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, open, f.get(t, subject).Conversation.Status, "nothing has changed")
	row, err := handOff(ola, "Asked for a person.")
	require.NoError(t, err)
	require.Equal(t, "Ola", *row.OperatorName)
	require.Equal(t, f.Clock.Now(), row.Conversation.HandedOffAt.UTC())
	events := f.Events(t, f.Ours)
	require.Equal(t, []api.EventType{api.EventTypeConversationHandedOff, api.EventTypeConversationAssigned}, types(events))
	require.Contains(t, string(events[0].Data), `"reason":"Asked for a person."`)
	require.Equal(t, &ola, seed.Read[conversationData](t, events[0]).Conversation.AssignedOperatorID)
	f.Clock.Advance(time.Hour)
	row, err = handOff(jan, "")
	require.NoError(t, err)
	require.Equal(t, f.Clock.Now().Add(-time.Hour), row.Conversation.HandedOffAt.UTC(), "the first hand-off counts")
	require.Equal(t, []api.EventType{api.EventTypeConversationAssigned}, types(f.Events(t, f.Ours)[2:]))
	_, err = handOff(jan, "")
	require.NoError(t, err)
	require.Len(t, f.Events(t, f.Ours), 3)
}

// ruled is a provider with rules.
type ruled struct {
	provider.Provider

	rules provider.Rules
}

// Rules implements provider.Provider.
func (r ruled) Rules() provider.Rules { return r.rules }

func TestReplyPolicyFollowsTheRules(t *testing.T) {
	t.Parallel()
	f := setup(t)
	subject := f.open(t, handedOff)
	wrote := f.Clock.Now()
	apply := func(rules provider.Rules) conversation.Policy {
		f.conversations.Providers = provider.Registry{api.ChannelTypeTELEGRAM: ruled{rules: rules}}
		return f.get(t, subject).Policy
	}
	require.Equal(t, conversation.Policy{Open: true, MaxLength: 4096}, f.get(t, subject).Policy)
	require.Equal(t, conversation.Policy{Open: true, MaxLength: 1600}, apply(provider.Rules{MaxLength: 1600}))
	require.Equal(t, conversation.Policy{Open: true, MaxLength: 4096}, apply(provider.Rules{MaxLength: 1600, Split: true}))
	require.Equal(t, conversation.Policy{Open: true, MaxLength: 4096}, apply(provider.Rules{MaxLength: 30_000}))

	window := provider.Rules{MaxLength: 1600, Window: 24 * time.Hour, Templates: true}
	until := wrote.Add(24 * time.Hour)
	inWindow := apply(window)
	require.True(t, inWindow.Open)
	require.Equal(t, until, inWindow.Until.UTC())
	f.Clock.Advance(24*time.Hour - time.Millisecond)
	require.True(t, apply(window).Open)
	f.Clock.Advance(time.Millisecond)
	expired := apply(window)
	require.False(t, expired.Open)
	require.True(t, expired.TemplateRequired)
	require.Equal(t, api.ReplyPolicyReasonWINDOWEXPIRED, expired.Reason)
	window.Templates = false
	require.False(t, apply(window).TemplateRequired)
	f.Exec(t, "UPDATE conversations SET last_inbound_at = NULL")
	require.False(t, apply(window).Open, "the contact has never written")

	for change, reason := range map[string]api.ReplyPolicyReason{
		"UPDATE channels SET deleted_at = now()":           api.ReplyPolicyReasonCHANNELDELETED,
		"UPDATE channels SET status = 'DISABLED'":          api.ReplyPolicyReasonCHANNELDISABLED,
		"DELETE FROM contact_identities":                   api.ReplyPolicyReasonNORECIPIENT,
		"UPDATE contact_identities SET blocked_at = now()": api.ReplyPolicyReasonCONTACTBLOCKED,
	} {
		g := setup(t)
		blocked := g.open(t, handedOff)
		g.Exec(t, change)
		require.Equal(t, conversation.Policy{MaxLength: 4096, Reason: reason}, g.get(t, blocked).Policy)
		_, err := g.conversations.Reply(t.Context(), g.DB, g.Ours, blocked, conversation.Reply{Content: "Hi"})
		var refused *conversation.ReplyRefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, reason, refused.Policy.Reason)
		require.Zero(t, g.Count(t, "SELECT count(*) FROM messages"), "nothing is stored")
		require.Empty(t, g.Events(t, g.Ours))
	}
}

func TestReplyRespectsLengthAndThread(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.conversations.Providers = provider.Registry{api.ChannelTypeTELEGRAM: ruled{rules: provider.Rules{MaxLength: 3}}}
	subject, other := f.open(t, handedOff), f.receive(t, message("m1", "Hello"))
	reply := func(in conversation.Reply) (db.Message, error) {
		return f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, in)
	}
	_, err := reply(conversation.Reply{Content: "żółw"})
	var long *conversation.TooLongError
	require.ErrorAs(t, err, &long)
	require.Equal(t, 3, long.MaxLength)
	_, err = reply(conversation.Reply{Content: "Hi", ReplyToID: &other.Message.ID})
	var unknown *conversation.UnknownMessageError
	require.ErrorAs(t, err, &unknown, "a message of another conversation")
	require.Zero(t, f.Count(t, "SELECT count(*) FROM outbound_messages"))
	first, err := reply(conversation.Reply{Content: "🦊🦊🦊"})
	require.NoError(t, err)
	second, err := reply(conversation.Reply{Content: "Hi", ReplyToID: &first.ID})
	require.NoError(t, err)
	require.Equal(t, &first.ID, second.ReplyToID)
	require.Equal(t, []int64{1, 2}, []int64{first.Revision, second.Revision})
}

// TestBulkActionsIncrementRevisions: streams notice every change.
func TestBulkActionsIncrementRevisions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tag, operator := f.Tag(t, f.Ours, "vip"), f.Operator(t, f.Ours, "Ola")
	subject := f.open(t, open)
	for i, bulk := range []conversation.Bulk{
		{Action: api.BulkActionTag, TagIDs: []uuid.UUID{tag}},
		{Action: api.BulkActionAssign, OperatorID: &operator},
		{Action: api.BulkActionClose},
		{Action: api.BulkActionReopen},
		{Action: api.BulkActionUntag, TagIDs: []uuid.UUID{tag}},
	} {
		for range 2 { // the second time, nothing changes
			bulk.IDs = []uuid.UUID{subject}
			f.apply(t, bulk)
			require.Equal(t, int64(i+1), f.get(t, subject).Conversation.Revision, bulk.Action)
		}
	}
}

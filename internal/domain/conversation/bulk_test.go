package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

const (
	open      = api.ConversationStatusOPEN
	handedOff = api.ConversationStatusHANDEDOFF
	closed    = api.ConversationStatusCLOSED
)

func TestBulkMovesFromEachStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, one := range []struct {
		action   api.BulkAction
		from, to api.ConversationStatus
		event    api.EventType
	}{
		{api.BulkActionClose, open, closed, api.EventTypeConversationClosed},
		{api.BulkActionClose, handedOff, closed, api.EventTypeConversationClosed},
		{api.BulkActionClose, closed, closed, ""},
		{api.BulkActionReopen, closed, open, api.EventTypeConversationReopened},
		{api.BulkActionReopen, handedOff, handedOff, ""},
		{api.BulkActionReopen, open, open, ""},
	} {
		name := fmt.Sprintf("%s from %s", one.action, one.from)
		subject, before := f.open(t, one.from), len(f.Events(t, f.Ours))
		created := f.Clock.Now()
		f.Clock.Advance(time.Minute)
		result := f.apply(t, conversation.Bulk{Action: one.action, IDs: []uuid.UUID{subject}})
		row := f.get(t, subject).Conversation
		require.Equal(t, one.to, row.Status, name)
		changes := f.Count(t, `SELECT count(*) FROM conversation_status_changes
			WHERE conversation_id = $1 AND from_status = $2 AND to_status = $3 AND changed_at = $4`, subject, one.from, one.to, f.Clock.Now())
		events := f.Events(t, f.Ours)[before:]
		if one.event == "" {
			require.Equal(t, conversation.BulkResult{Skipped: 1}, result, name)
			require.Equal(t, created, row.UpdatedAt.UTC(), name)
			require.Empty(t, events, name)
			require.Zero(t, changes, name)
			continue
		}
		require.Equal(t, conversation.BulkResult{Updated: 1}, result, name)
		require.Equal(t, f.Clock.Now(), row.UpdatedAt.UTC(), name)
		require.Len(t, events, 1, name)
		require.Equal(t, one.event, events[0].Type, name)
		require.Equal(t, one.to, seed.Read[conversationData](t, events[0]).Conversation.Status, "%s: the state after the change", name)
		require.Equal(t, 1, changes, "%s: counted by the analytics", name)
	}
}

func TestBulkSkipsForeignIDs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ours, theirs := f.open(t, open), f.Conversation(t, f.Theirs, seed.Conversation{Status: open})
	tag, operator := f.Tag(t, f.Ours, "vip"), f.Operator(t, f.Ours, "Ola")
	for _, bulk := range []conversation.Bulk{
		{Action: api.BulkActionTag, TagIDs: []uuid.UUID{tag}},
		{Action: api.BulkActionAssign, OperatorID: &operator},
		{Action: api.BulkActionClose},
	} {
		bulk.IDs = []uuid.UUID{theirs, ours, uuid.New(), ours, theirs}
		require.Equal(t, conversation.BulkResult{Updated: 1, Skipped: 2}, f.apply(t, bulk), "%s counts each id once", bulk.Action)
	}
	require.Len(t, f.Events(t, f.Ours), 3)
	require.Empty(t, f.Events(t, f.Theirs))
	foreign, err := f.conversations.Get(t.Context(), f.Theirs, theirs)
	require.NoError(t, err)
	require.Equal(t, open, foreign.Conversation.Status)
	require.Nil(t, foreign.Conversation.AssignedOperatorID)
	require.Empty(t, foreign.Tags)
}

func TestBulkRejectsUnknownOperatorsAndTags(t *testing.T) {
	t.Parallel()
	f := setup(t)
	subject, known := f.open(t, open), f.Tag(t, f.Ours, "known")
	theirTag, theirOperator, nowhere := f.Tag(t, f.Theirs, "theirs"), f.Operator(t, f.Theirs, "Jan"), uuid.New()
	apply := func(bulk conversation.Bulk) error {
		bulk.IDs = []uuid.UUID{subject}
		_, err := f.conversations.Apply(t.Context(), f.DB, f.Ours, bulk)
		return err
	}
	for _, operator := range []uuid.UUID{theirOperator, nowhere} {
		var unknown *conversation.UnknownOperatorError
		require.ErrorAs(t, apply(conversation.Bulk{Action: api.BulkActionAssign, OperatorID: &operator}), &unknown)
		require.Equal(t, operator, unknown.ID)
	}
	for _, action := range []api.BulkAction{api.BulkActionTag, api.BulkActionUntag} {
		var unknown *conversation.UnknownTagsError
		require.ErrorAs(t, apply(conversation.Bulk{Action: action, TagIDs: []uuid.UUID{theirTag, known, nowhere, known}}), &unknown)
		require.ElementsMatch(t, []uuid.UUID{theirTag, nowhere}, unknown.IDs, "only those that do not exist here, all of them")
	}
	require.Error(t, apply(conversation.Bulk{Action: "delete"}))
	require.Empty(t, f.get(t, subject).Tags)
	require.Empty(t, f.Events(t, f.Ours))
}

func TestBulkAssignNamesThePreviousOperator(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ola, jan := f.Operator(t, f.Ours, "Ola"), f.Operator(t, f.Ours, "Jan")
	subject := f.open(t, closed)
	steps := []*uuid.UUID{nil, &ola, &ola, &jan, nil, nil}
	changed := []int{0, 1, 0, 1, 1, 0}
	var previous *uuid.UUID
	for i, operator := range steps {
		before := len(f.Events(t, f.Ours))
		result := f.apply(t, conversation.Bulk{Action: api.BulkActionAssign, IDs: []uuid.UUID{subject}, OperatorID: operator})
		require.Equal(t, conversation.BulkResult{Updated: changed[i], Skipped: 1 - changed[i]}, result, "step %d", i)
		events := f.Events(t, f.Ours)[before:]
		require.Len(t, events, changed[i], "step %d", i)
		for _, one := range events {
			require.Equal(t, api.EventTypeConversationAssigned, one.Type)
			data := seed.Read[conversationData](t, one)
			require.Equal(t, previous, data.PreviousOperatorID, "step %d", i)
			require.Equal(t, operator, data.Conversation.AssignedOperatorID, "step %d", i)
		}
		require.Equal(t, operator, f.get(t, subject).Conversation.AssignedOperatorID)
		previous = operator
	}
}

// TestBulkTagEventsListOnlyWhatChanged tags conversations that carry some of the tags.
func TestBulkTagEventsListOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	alpha, beta, gamma := f.Tag(t, f.Ours, "Alpha"), f.Tag(t, f.Ours, "beta"), f.Tag(t, f.Ours, "Gamma")
	ids := []uuid.UUID{f.open(t, open), f.open(t, open, alpha, gamma), f.open(t, open, alpha, beta)}
	tags := []uuid.UUID{beta, alpha, beta}
	names := func(tags []api.Tag) []string {
		names := []string{}
		for _, tag := range tags {
			names = append(names, tag.Name)
		}
		return names
	}
	require.Equal(t, conversation.BulkResult{Updated: 2, Skipped: 1}, f.apply(t, conversation.Bulk{Action: api.BulkActionTag, IDs: ids, TagIDs: tags}))
	events := f.Events(t, f.Ours)
	require.Len(t, events, 2)
	for i, want := range [][]string{{"Alpha", "beta"}, {"beta"}} {
		data := seed.Read[conversationData](t, events[i])
		require.Equal(t, ids[i], data.Conversation.ID)
		require.Equal(t, want, names(data.Added), "by name")
		require.Empty(t, data.Removed)
	}
	require.Equal(t, conversation.BulkResult{Updated: 1, Skipped: 2}, f.apply(t, conversation.Bulk{Action: api.BulkActionUntag, IDs: ids, TagIDs: []uuid.UUID{gamma}}))
	data := seed.Read[conversationData](t, f.Events(t, f.Ours)[2])
	require.Equal(t, ids[1], data.Conversation.ID)
	require.Equal(t, []string{"Gamma"}, names(data.Removed))
	require.Empty(t, data.Added)
	for _, one := range ids {
		require.Len(t, f.get(t, one).Tags, 2)
	}
}

// TestBulkEventsAreInTheOrderOfTheIDs closes many conversations that are named in
// reverse: their events are numbered in the order of the ids, at one moment.
func TestBulkEventsAreInTheOrderOfTheIDs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ids := make([]uuid.UUID, 40)
	for i := range ids {
		ids[i] = f.open(t, open)
	}
	named := slices.Clone(ids)
	slices.Reverse(named)
	require.Equal(t, conversation.BulkResult{Updated: 40}, f.apply(t, conversation.Bulk{Action: api.BulkActionClose, IDs: named}))
	events := f.Events(t, f.Ours)
	require.Len(t, events, 40)
	for i, one := range events {
		require.Equal(t, int64(i+1), one.Sequence)
		require.Equal(t, ids[i], seed.Read[conversationData](t, one).Conversation.ID)
		require.Equal(t, events[0].At, one.At)
	}
}

func TestBulkIsRolledBackWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tag, failed := f.Tag(t, f.Ours, "vip"), errors.New("a later statement failed")
	subject := f.open(t, handedOff)
	before := f.get(t, subject)
	err := postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		for _, bulk := range []conversation.Bulk{{Action: api.BulkActionClose}, {Action: api.BulkActionTag, TagIDs: []uuid.UUID{tag}}} {
			bulk.IDs = []uuid.UUID{subject}
			if _, err := f.conversations.Apply(ctx, tx, f.Ours, bulk); err != nil {
				return err
			}
		}
		return failed
	})
	require.ErrorIs(t, err, failed)
	require.Equal(t, before, f.get(t, subject))
	require.Empty(t, f.Events(t, f.Ours))
	require.Zero(t, f.Count(t, "SELECT count(*) FROM conversation_status_changes"))
}

// TestConcurrentBulksChangeEachConversationOnce runs the same action on overlapping ids in
// opposite orders: nothing deadlocks, and each change is counted and announced once.
func TestConcurrentBulksChangeEachConversationOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ids := make([]uuid.UUID, 20)
	for i := range ids {
		ids[i] = f.open(t, open)
	}
	results, errs := make([]conversation.BulkResult, 6), make([]error, 6)
	var all sync.WaitGroup
	for i := range results {
		named := slices.Clone(ids)
		if i%2 == 1 {
			slices.Reverse(named)
		}
		all.Go(func() {
			results[i], errs[i] = f.conversations.Apply(t.Context(), f.DB, f.Ours, conversation.Bulk{Action: api.BulkActionClose, IDs: named})
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	var updated, skipped int
	for _, one := range results {
		updated, skipped = updated+one.Updated, skipped+one.Skipped
	}
	require.Equal(t, len(ids), updated)
	require.Equal(t, 5*len(ids), skipped)
	require.Len(t, f.Events(t, f.Ours), len(ids))
	require.Equal(t, len(ids), f.Count(t, "SELECT count(*) FROM conversation_status_changes"))
}

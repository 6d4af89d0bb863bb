package runner_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

// leads returns the leads of a workspace, oldest first.
func (f *fixture) leads(t *testing.T, space uuid.UUID) (rows []db.Lead) {
	t.Helper()
	rows, err := db.New().LeadListNewest(t.Context(), f.DB, db.LeadListNewestParams{WorkspaceID: space, BeforeID: uuid.Max, RowLimit: 100})
	require.NoError(t, err)
	return rows
}

func fieldsOf(t *testing.T, row db.Lead) (fields map[string]string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(row.Fields, &fields))
	return fields
}

func TestALeadFillsItselfOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.run(t)
	v := f.visitor(t, f.Ours, f.newAgent(t, f.Ours, "builtin"), api.ChannelTypeWEBSITE)
	id := f.writes(t, v, "I'd like to order shoes. My name is Anna Nowak.").Conversation.ID
	f.ended(t, id, 1)
	require.Empty(t, f.leads(t, f.Ours), "there is no way to reach her")
	f.writes(t, v, "anna@example.com")
	f.ended(t, id, 2)
	f.Exec(t, `UPDATE leads SET fields = fields || '{"name": "Anna Maria Nowak"}'`) // a person has corrected it
	f.writes(t, v, "600 100 200")
	f.ended(t, id, 3)
	f.writes(t, v, "Thanks!")
	f.ended(t, id, 4)
	rows := f.leads(t, f.Ours)
	require.Len(t, rows, 1)
	require.Equal(t, map[string]string{"name": "Anna Maria Nowak", "email": "anna@example.com", "phone": "600 100 200"}, fieldsOf(t, rows[0]))
	require.Equal(t, id, *rows[0].ConversationID)
	require.Equal(t, int16(100), *rows[0].Score)
	require.Contains(t, *rows[0].ScoreReason, "shows interest in buying")
	var made []api.EventType
	for _, one := range types(f.Events(t, f.Ours)) {
		if one == api.EventTypeLeadCreated || one == api.EventTypeLeadUpdated {
			made = append(made, one)
		}
	}
	require.Equal(t, []api.EventType{api.EventTypeLeadCreated, api.EventTypeLeadUpdated, api.EventTypeLeadUpdated}, made)
}

// TestAVerifiedContactHasOneLead begins a second conversation with the same contact.
func TestAVerifiedContactHasOneLead(t *testing.T) {
	t.Parallel()
	for _, verified := range []bool{true, false} {
		f := setup(t)
		stop := f.run(t)
		v := f.visitor(t, f.Ours, f.newAgent(t, f.Ours, "builtin"), api.ChannelTypeWEBSITE)
		v.verified = verified
		first := f.writes(t, v, "My email is anna@example.com").Conversation.ID
		f.ended(t, first, 1)
		_, err := f.conversations.Close(t.Context(), f.DB, f.Ours, first)
		require.NoError(t, err)
		second := f.writes(t, v, "My phone is 600 100 200").Conversation.ID
		require.NotEqual(t, first, second)
		f.ended(t, second, 1)
		stop()
		rows := f.leads(t, f.Ours)
		if !verified {
			require.Len(t, rows, 2, "they may be two people")
			continue
		}
		require.Len(t, rows, 1)
		require.Equal(t, map[string]string{"email": "anna@example.com", "phone": "600 100 200"}, fieldsOf(t, rows[0]))
	}
}

// TestAScoreOfAPersonStays sets a score by hand.
func TestAScoreOfAPersonStays(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.run(t)
	v := f.visitor(t, f.Ours, f.newAgent(t, f.Ours, "builtin"), api.ChannelTypeWEBSITE)
	id := f.writes(t, v, "My email is anna@example.com").Conversation.ID
	f.ended(t, id, 1)
	f.Exec(t, "UPDATE leads SET score = 7, score_reason = NULL")
	f.writes(t, v, "My phone is 600 100 200")
	f.ended(t, id, 2)
	rows := f.leads(t, f.Ours)
	require.Equal(t, int16(7), *rows[0].Score)
	require.Equal(t, "600 100 200", fieldsOf(t, rows[0])["phone"])
}

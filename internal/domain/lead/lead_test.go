package lead_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

type fixture struct {
	*seed.World

	leads *lead.Service
}

func setup(t *testing.T) *fixture {
	t.Helper()
	w := seed.New(t)
	return &fixture{World: w, leads: &lead.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Events: w.Recorder}}
}

func (f *fixture) create(t *testing.T, fields string) db.Lead {
	t.Helper()
	row, err := f.leads.Create(t.Context(), f.DB, f.Ours, lead.NewLead{Fields: json.RawMessage(fields)})
	require.NoError(t, err)
	return row
}

func (f *fixture) get(t *testing.T, leadID uuid.UUID) db.Lead {
	t.Helper()
	row, err := f.leads.Get(t.Context(), f.Ours, leadID)
	require.NoError(t, err)
	return row
}

// leadData is the data of a lead event.
type leadData struct {
	Lead struct {
		ID     uuid.UUID         `json:"id"`
		Status api.LeadStatus    `json:"status"`
		Fields map[string]string `json:"fields"`
		Score  *int16            `json:"score"`
	} `json:"lead"`
	PreviousStatus api.LeadStatus `json:"previousStatus"`
}

func value[T any](v T) func() *T { return func() *T { return &v } }

func TestCreateRecordsItsEvent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, `{"name":"Anna \u2028 <b>","phone":"+48 600"}`)
	require.Equal(t, api.LeadStatusNEW, row.Status)
	require.Nil(t, row.Score)
	require.Nil(t, row.ConversationID)
	require.Equal(t, seed.Start, row.CreatedAt.UTC())
	require.Equal(t, row, f.get(t, row.ID))
	events := f.Events(t, f.Ours)
	require.Len(t, events, 1)
	require.Equal(t, api.EventTypeLeadCreated, events[0].Type)
	data := seed.Read[leadData](t, events[0])
	require.Equal(t, row.ID, data.Lead.ID)
	require.Equal(t, map[string]string{"name": "Anna \u2028 <b>", "phone": "+48 600"}, data.Lead.Fields)
	require.Empty(t, f.Events(t, f.Theirs))
}

func TestCreateJoinsTheCallersTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	failed := errors.New("a later statement failed")
	err := postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		_, err := f.leads.Create(ctx, tx, f.Ours, lead.NewLead{Fields: json.RawMessage(`{"name":"A"}`)})
		return errors.Join(err, failed)
	})
	require.ErrorIs(t, err, failed)
	require.Zero(t, f.Count(t, "SELECT count(*) FROM leads"))
	f.create(t, `{"name":"B"}`)
	events := f.Events(t, f.Ours)
	require.Len(t, events, 1)
	require.Equal(t, int64(1), events[0].Sequence, "a rollback leaves no gap")
}

func TestUpdateRecordsAnEventOnlyForAChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, `{"name":"Anna","city":"Gdynia"}`)
	for name, one := range map[string]struct {
		change lead.Change
		events int
	}{
		"nothing given":             {lead.Change{}, 0},
		"the same fields reordered": {lead.Change{Fields: json.RawMessage(`{"city" : "Gdynia","name":"Anna"}`)}, 0},
		"remove an absent field":    {lead.Change{Fields: json.RawMessage(`{"email":null}`)}, 0},
		"clear an absent score":     {lead.Change{Score: func() *int16 { return nil }}, 0},
		"clear an absent CRM id":    {lead.Change{CRMExternalID: func() *string { return nil }}, 0},
	} {
		before := len(f.Events(t, f.Ours))
		after, err := f.leads.Update(t.Context(), f.DB, f.Ours, row.ID, one.change)
		require.NoError(t, err, name)
		require.JSONEq(t, string(row.Fields), string(after.Fields), name)
		require.Len(t, f.Events(t, f.Ours), before+one.events, name)
	}
	f.Clock.Advance(time.Minute)
	after, err := f.leads.Update(t.Context(), f.DB, f.Ours, row.ID, lead.Change{
		Fields: json.RawMessage(`{"city":null,"email":"a@example.com"}`), Score: value(int16(0)), CRMExternalID: value("crm-1"),
	})
	require.NoError(t, err)
	require.Equal(t, after, f.get(t, row.ID))
	require.Equal(t, seed.Start.Add(time.Minute), after.UpdatedAt.UTC())
	events := f.Events(t, f.Ours)
	require.Len(t, events, 2, "one event for a change of several properties")
	data := seed.Read[leadData](t, events[1])
	require.Equal(t, map[string]string{"name": "Anna", "email": "a@example.com"}, data.Lead.Fields)
	require.Equal(t, int16(0), *data.Lead.Score, "0 is a score")
}

func TestUpdateKeepsTheNumberOfFieldsInBounds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	fields := make([]string, lead.MaxFields)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"f%d":"x"`, i)
	}
	row := f.create(t, "{"+strings.Join(fields, ",")+"}")
	for change, count := range map[string]int{
		`{"one more":"x"}`: lead.MaxFields + 1,
		"{" + strings.ReplaceAll(strings.Join(fields, ","), `"x"`, "null") + "}": 0,
	} {
		_, err := f.leads.Update(t.Context(), f.DB, f.Ours, row.ID, lead.Change{Fields: json.RawMessage(change), Score: value(int16(9))})
		var refused *lead.FieldCountError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, count, refused.Count)
		require.Equal(t, row, f.get(t, row.ID), "nothing is changed")
	}
	_, err := f.leads.Update(t.Context(), f.DB, f.Ours, row.ID, lead.Change{Fields: json.RawMessage(`{"f0":null,"one more":"x"}`)})
	require.NoError(t, err, "swapping a field keeps the count")
	require.Len(t, f.Events(t, f.Ours), 2)
}

// TestConcurrentUpdatesAreAllKept checks that updates of one lead run one after the
// other, and that their events are in the order of the changes.
func TestConcurrentUpdatesAreAllKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, `{"name":"Anna"}`)
	const writers = 8
	var all sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			change := lead.Change{Fields: json.RawMessage(fmt.Sprintf(`{"f%d":"x"}`, i))}
			_, errs[i] = f.leads.Update(t.Context(), f.DB, f.Ours, row.ID, change)
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	for i, one := range f.Events(t, f.Ours) {
		require.Equal(t, int64(i+1), one.Sequence)
		require.Len(t, seed.Read[leadData](t, one).Lead.Fields, i+1, "event %d includes all changes before it", i)
	}
	require.Len(t, f.Events(t, f.Ours), writers+1)
}

func TestSetStatusRecordsThePreviousStage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, `{"name":"Anna"}`)
	previous := row.Status
	for i, next := range []api.LeadStatus{api.LeadStatusWON, api.LeadStatusLOST, api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED} {
		f.Clock.Advance(time.Minute)
		moved, err := f.leads.SetStatus(t.Context(), f.DB, f.Ours, row.ID, next)
		require.NoError(t, err)
		require.Equal(t, next, moved.Status)
		require.Equal(t, f.Clock.Now(), moved.UpdatedAt.UTC())
		f.Clock.Advance(time.Minute)
		again, err := f.leads.SetStatus(t.Context(), f.DB, f.Ours, row.ID, next)
		require.NoError(t, err)
		require.Equal(t, moved, again, "the same row, not touched")
		events := f.Events(t, f.Ours)
		require.Len(t, events, i+2, "and no second event")
		data := seed.Read[leadData](t, events[i+1])
		require.Equal(t, previous, data.PreviousStatus)
		require.Equal(t, next, data.Lead.Status)
		previous = next
	}
}

func TestLeadsOfAnotherWorkspaceAreNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, `{"name":"Anna"}`)
	ctx := t.Context()
	for name, call := range map[string]func(space, leadID uuid.UUID) error{
		"Get": func(space, leadID uuid.UUID) error { _, err := f.leads.Get(ctx, space, leadID); return err },
		"Update": func(space, leadID uuid.UUID) error {
			_, err := f.leads.Update(ctx, f.DB, space, leadID, lead.Change{Score: value(int16(1))})
			return err
		},
		"SetStatus": func(space, leadID uuid.UUID) error {
			_, err := f.leads.SetStatus(ctx, f.DB, space, leadID, api.LeadStatusLOST)
			return err
		},
		"Delete": func(space, leadID uuid.UUID) error { return f.leads.Delete(ctx, f.DB, space, leadID) },
	} {
		foreign, absent := call(f.Theirs, row.ID), call(f.Ours, uuid.New())
		require.ErrorIs(t, foreign, postgres.ErrNotFound, name)
		require.Equal(t, absent.Error(), foreign.Error(), "%s: indistinguishable from an absent lead", name)
	}
	require.Equal(t, row, f.get(t, row.ID))
	require.Empty(t, f.Events(t, f.Theirs))
	require.NoError(t, f.leads.Delete(ctx, f.DB, f.Ours, row.ID))
	require.ErrorIs(t, f.leads.Delete(ctx, f.DB, f.Ours, row.ID), postgres.ErrNotFound)
}

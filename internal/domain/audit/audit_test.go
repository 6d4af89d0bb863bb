package audit_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

type fixture struct {
	on    *postgres.DB
	ids   *id.Generator
	clock *clock.Fake
	log   *audit.Log
	space uuid.UUID
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{on: testdb.New(t), clock: clock.NewFake(time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC))}
	f.ids = id.NewGenerator(f.clock)
	f.log = &audit.Log{DB: f.on, IDs: f.ids}
	row, err := (&workspace.Service{DB: f.on, IDs: f.ids}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	f.space = row.ID
	return f
}

func (f *fixture) count(t *testing.T) int {
	t.Helper()
	rows, err := f.log.List(t.Context(), f.space, "", id.Max, 1000)
	require.NoError(t, err)
	return len(rows)
}

func TestAnEntryIsRolledBackWithItsChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	failed := errors.New("the change failed")
	entry := audit.Entry{WorkspaceID: f.space, ActorType: audit.System, ActorName: "command line", Action: "x"}
	do := func(changed bool, err error) error {
		return f.log.Do(t.Context(), entry, func(ctx context.Context, on postgres.Conn) (bool, error) {
			return changed, errors.Join(f.log.Record(ctx, on, entry), err)
		})
	}
	require.ErrorIs(t, do(true, failed), failed)
	require.Zero(t, f.count(t))
	require.NoError(t, do(false, nil))
	require.Equal(t, 1, f.count(t), "a call without a change is not recorded")
	require.NoError(t, do(true, nil))
	require.Equal(t, 3, f.count(t))
}

func TestNotedEntriesAreKeptAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, row, err := (&token.Service{DB: f.on, IDs: f.ids, Clock: f.clock}).Create(t.Context(), f.on, token.NewToken{
		WorkspaceID: f.space, Name: "CRM", Scopes: []api.Scope{api.ScopeLeadsWrite},
	})
	require.NoError(t, err)
	r := audit.NewRecorder(f.on, f.ids)
	for range 3 {
		r.Note(audit.Entry{WorkspaceID: f.space, ActorType: audit.Token, ActorID: row.ID, Action: "createLead", Target: "a\x00b" + strings.Repeat("ż", 1000), UserAgent: "\xff"})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, r.Flush(gone))
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Flush(t.Context()))
	rows, err := f.log.List(t.Context(), f.space, audit.Token, id.Max, 10)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Regexp(t, `^CRM \(convo_….{4}\)$`, rows[0].ActorName)
	require.True(t, strings.HasPrefix(rows[0].Target, "abż"))
}

func TestEveryEntryIsExported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := audit.NewRecorder(f.on, f.ids)
	const many = 2345
	for i := range many {
		r.Note(audit.Entry{WorkspaceID: f.space, ActorType: audit.User, ActorID: uuid.New(), ActorName: "Ola, \"the\" first", Action: strconv.Itoa(i)})
	}
	require.NoError(t, r.Flush(t.Context()))
	var out bytes.Buffer
	require.NoError(t, f.log.Export(t.Context(), f.space, "", &out))
	require.Equal(t, many+1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), `"Ola, ""the"" first"`)
	out.Reset()
	require.NoError(t, f.log.Export(t.Context(), uuid.New(), "", &out))
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "only the header row for another workspace")
}

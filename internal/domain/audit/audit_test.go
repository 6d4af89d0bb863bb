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
	"github.com/avelto/convo/internal/domain/user"
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

func TestTheActorOfATokenIsItsName(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, row, err := (&token.Service{DB: f.on, IDs: f.ids, Clock: f.clock}).Create(t.Context(), f.on, token.NewToken{
		WorkspaceID: f.space, Name: "CRM", Scopes: []api.Scope{api.ScopeLeadsWrite},
	})
	require.NoError(t, err)
	for _, kind := range []string{audit.Token, audit.User} {
		require.NoError(t, f.log.Record(t.Context(), f.on, audit.Entry{WorkspaceID: f.space, ActorType: kind, ActorID: row.ID, ActorName: "given", Action: "createLead"}))
	}
	rows, err := f.log.List(t.Context(), f.space, "", id.Max, 10)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "given", rows[0].ActorName)
	require.Regexp(t, `^CRM \(convo_….{4}\)$`, rows[1].ActorName)
}

// TestAnEntryOfAUserIsInEachOfTheirWorkspaces also records one of an unknown user.
func TestAnEntryOfAUserIsInEachOfTheirWorkspaces(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := &user.Service{DB: f.on, IDs: f.ids, Clock: f.clock, Hasher: user.NewHasher()}
	spaces := &workspace.Service{DB: f.on, IDs: f.ids}
	other, err := spaces.Create(t.Context(), "other", "Other")
	require.NoError(t, err)
	foreign, err := spaces.Create(t.Context(), "foreign", "Foreign")
	require.NoError(t, err)
	ola, err := users.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: "a long password"}, f.space, other.ID)
	require.NoError(t, err)
	for _, actor := range []uuid.UUID{ola.ID, uuid.New()} {
		require.NoError(t, f.log.RecordUser(t.Context(), f.on, audit.Entry{ActorType: audit.User, ActorID: actor, ActorName: "Ola", Action: "sign_in.refused"}))
	}
	for space, want := range map[uuid.UUID]int{f.space: 1, other.ID: 1, foreign.ID: 0} {
		rows, err := f.log.List(t.Context(), space, audit.User, id.Max, 10)
		require.NoError(t, err)
		require.Len(t, rows, want)
	}
}

func TestEveryEntryIsExported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const many = 2345
	require.NoError(t, postgres.WithTx(t.Context(), f.on, func(ctx context.Context, tx postgres.Tx) error {
		for i := range many {
			entry := audit.Entry{WorkspaceID: f.space, ActorType: audit.User, ActorID: uuid.New(), ActorName: "Ola, \"the\" first", Action: strconv.Itoa(i)}
			if err := f.log.Record(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	}))
	var out bytes.Buffer
	require.NoError(t, f.log.Export(t.Context(), f.space, "", &out))
	require.Equal(t, many+1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), `"Ola, ""the"" first"`)
	out.Reset()
	require.NoError(t, f.log.Export(t.Context(), uuid.New(), "", &out))
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "only the header row for another workspace")
}

package audit_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/share"
)

func (f *fixture) export(t *testing.T, actorType string) [][]string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, f.log.Export(t.Context(), f.space, actorType, &out))
	records, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"time", "actor_type", "actor_id", "actor", "action", "target", "ip", "user_agent", "request_id"}, records[0])
	return records[1:]
}

// TestExportedCellsAreNotFormulas exports texts that a spreadsheet would run.
func TestExportedCellsAreNotFormulas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for cell, want := range map[string]string{
		`=HYPERLINK("https://example.com")`: `'=HYPERLINK("https://example.com")`,
		"+1":                                "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1",
		"\r=1": "'\r=1", "＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠SUM(A1)": "'＠SUM(A1)",
		"a=1": "a=1", "": "", "two\nlines, \"quoted\"": "two\nlines, \"quoted\"",
	} {
		f.clock.Advance(time.Second)
		entry := audit.Entry{
			WorkspaceID: f.space, ActorType: audit.User, ActorID: uuid.New(), ActorName: cell, Action: "x", Target: cell, UserAgent: cell, RequestID: cell, IP: "::1",
		}
		require.NoError(t, f.log.Record(t.Context(), f.on, entry))
		got := f.export(t, "")[0]
		at := f.clock.Now().Format("2006-01-02T15:04:05.000Z")
		require.Equal(t, []string{at, "USER", entry.ActorID.String(), want, "x", want, "::1", want, want}, got)
	}
}

func TestEntriesAreListedByActorAndWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other, err := (&workspace.Service{DB: f.on, IDs: f.ids}).Create(t.Context(), "other", "Other")
	require.NoError(t, err)
	for i, kind := range []string{audit.User, audit.Token, audit.System, audit.User} {
		for _, space := range []uuid.UUID{f.space, other.ID} {
			entry := audit.Entry{WorkspaceID: space, ActorType: kind, Action: string(rune('a' + i))}
			require.NoError(t, f.log.Record(t.Context(), f.on, entry))
		}
	}
	for kind, want := range map[string]string{"": "dcba", audit.User: "da", audit.Token: "b", audit.System: "c", "OTHER": ""} {
		var got strings.Builder
		before := id.Max
		for { // one by one
			rows, err := f.log.List(t.Context(), f.space, kind, before, 1)
			require.NoError(t, err)
			if len(rows) == 0 {
				break
			}
			require.Nil(t, rows[0].ActorID)
			got.WriteString(rows[0].Action)
			before = rows[0].ID
		}
		require.Equal(t, want, got.String(), "%q", kind)
		require.Len(t, f.export(t, kind), len(want))
	}
}

// TestLongAndInvalidTextsAreStored records what a client controls: it is cut to a length
// that is stored, without NUL and broken characters.
func TestLongAndInvalidTextsAreStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	entry := audit.Entry{
		WorkspaceID: f.space, ActorType: audit.System, Action: "x",
		Target: strings.Repeat("ż", 400), UserAgent: "a\x00\xffb" + strings.Repeat("c", 1000),
	}
	require.NoError(t, f.log.Record(t.Context(), f.on, entry))
	rows, err := f.log.List(t.Context(), f.space, "", id.Max, 1)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ż", 250), rows[0].Target, "500 bytes")
	require.Equal(t, "ab"+strings.Repeat("c", 196), rows[0].UserAgent)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestExportReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.ErrorContains(t, f.log.Export(t.Context(), f.space, "", full{}), "disk full")
}

// TestExportsReadFromTheirOwnPool exports while the pool of requests is closed.
func TestExportsReadFromTheirOwnPool(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.log.Record(t.Context(), f.on, audit.Entry{WorkspaceID: f.space, ActorType: audit.System, Action: "x"}))
	reports, err := f.on.Apart(t.Context(), 1)
	require.NoError(t, err)
	defer reports.Close()
	f.on.Close()
	f.log.Reports = reports
	require.Len(t, f.export(t, ""), 1)
}

// TestAnExportUsesTheShareOfItsWorkspace: analytics and exports of a workspace together use
// a part of their pool only.
func TestAnExportUsesTheShareOfItsWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.log.Shares = &share.Shares{}
	enter := func() func() {
		leave, err := f.log.Shares.Enter(t.Context(), f.space)
		require.NoError(t, err)
		return leave
	}
	first, second := enter(), enter()
	var out bytes.Buffer
	require.ErrorIs(t, f.log.Export(t.Context(), f.space, "", &out), share.ErrBusy)
	require.Zero(t, out.Len(), "nothing was written, so that an error can still be shown")
	require.NoError(t, f.log.Export(t.Context(), uuid.New(), "", &out), "another workspace has its own share")
	first()
	require.NoError(t, f.log.Export(t.Context(), f.space, "", &out))
	second()
}

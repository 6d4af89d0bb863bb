package workspace_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/testing/testdb"
)

func setup(t *testing.T) *workspace.Service {
	t.Helper()
	return &workspace.Service{DB: testdb.New(t), IDs: id.NewGenerator(clock.System{})}
}

func TestCreateChecksSlugAndName(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, err := s.Create(t.Context(), "taken", "Taken")
	require.NoError(t, err)
	for _, one := range []struct {
		slug, name string
		want       error
	}{
		{"a", "A", nil},
		{"0-9", "digits and a hyphen", nil},
		{strings.Repeat("a", 63), strings.Repeat("ż", 100), nil},
		{strings.Repeat("a", 64), "A", workspace.ErrSlug},
		{"", "A", workspace.ErrSlug},
		{"-a", "A", workspace.ErrSlug},
		{"a-", "A", workspace.ErrSlug},
		{"Acme", "A", workspace.ErrSlug},
		{"a b", "A", workspace.ErrSlug},
		{"ż", "A", workspace.ErrSlug},
		{"a\n", "A", workspace.ErrSlug},
		{"taken", "Another", workspace.ErrTaken},
		{"b", "", workspace.ErrName},
		{"b", strings.Repeat("ż", 101), workspace.ErrName},
	} {
		row, err := s.Create(t.Context(), one.slug, one.name)
		require.ErrorIs(t, err, one.want, "%q, %q", one.slug, one.name)
		if one.want != nil {
			require.Zero(t, row)
			continue
		}
		found, err := s.BySlug(t.Context(), one.slug)
		require.NoError(t, err)
		require.Equal(t, row, found)
	}
	all, err := s.List(t.Context())
	require.NoError(t, err)
	var slugs []string
	for _, row := range all {
		slugs = append(slugs, row.Slug)
	}
	require.Equal(t, []string{"0-9", "a", strings.Repeat("a", 63), "taken"}, slugs, "by slug")
}

func TestEnsureReturnsAnExistingWorkspace(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first, err := s.Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	again, err := s.Ensure(t.Context(), "acme", "Another name")
	require.NoError(t, err)
	require.Equal(t, first, again)
}

// TestConcurrentEnsuresShareAWorkspace calls Ensure concurrently: one call creates the
// workspace, the others return it.
func TestConcurrentEnsuresShareAWorkspace(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rows, errs := make([]db.Workspace, 8), make([]error, 8)
	var all sync.WaitGroup
	for i := range rows {
		all.Go(func() { rows[i], errs[i] = s.Ensure(t.Context(), "acme", "Acme") })
	}
	all.Wait()
	for i, row := range rows {
		require.NoError(t, errs[i])
		require.Equal(t, rows[0].ID, row.ID)
	}
}

func TestSetRateLimit(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, slug := range []string{"acme", "other"} {
		_, err := s.Create(t.Context(), slug, slug)
		require.NoError(t, err)
	}
	limit := func(slug string) *int32 {
		row, err := s.BySlug(t.Context(), slug)
		require.NoError(t, err)
		return row.RateLimitPerMinute
	}
	require.Nil(t, limit("acme"), "the default")
	require.NoError(t, s.SetRateLimit(t.Context(), "acme", 1200))
	require.Equal(t, int32(1200), *limit("acme"))
	require.Nil(t, limit("other"))
	require.NoError(t, s.SetRateLimit(t.Context(), "acme", 0))
	require.Nil(t, limit("acme"), "0 restores the default")
	require.ErrorIs(t, s.SetRateLimit(t.Context(), "nowhere", 1), workspace.ErrUnknown)
	_, err := s.BySlug(t.Context(), "nowhere")
	require.ErrorIs(t, err, workspace.ErrUnknown)
}

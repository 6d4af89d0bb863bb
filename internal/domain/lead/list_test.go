package lead_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/page"
)

// pages follows a list to its end, calling between after each page.
func (f *fixture) pages(t *testing.T, filter lead.Filter, size int32, between func(page.Page[db.Lead])) (ids []uuid.UUID) {
	t.Helper()
	request := page.Request{Limit: &size}
	for {
		got, err := f.leads.List(t.Context(), f.Ours, filter, request)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Rows), int(size))
		for _, row := range got.Rows {
			ids = append(ids, row.ID)
		}
		if got.Next == nil {
			return ids
		}
		request.Cursor = got.Next
		between(got)
	}
}

// TestListAgreesWithASortInMemory pages through random leads, with ties and missing
// scores, in each order and stage.
func TestListAgreesWithASortInMemory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	random := rand.New(rand.NewPCG(1, 2))
	stages := []api.LeadStatus{api.LeadStatusNEW, api.LeadStatusWON, api.LeadStatusLOST}
	var all []db.Lead
	for range 60 {
		row := f.create(t, `{"name":"A"}`)
		row.Status = stages[random.IntN(len(stages))]
		if score := int16(random.IntN(5)); score > 0 {
			row.Score = new((score - 1) * 33) // 0 to 99, and some without
		}
		f.Exec(t, "UPDATE leads SET status = $1, score = $2 WHERE id = $3", row.Status, row.Score, row.ID)
		all = append(all, row)
	}
	for _, sort := range []api.LeadSort{api.LeadSortNewest, api.LeadSortScore} {
		for _, status := range append(stages, "", api.LeadStatusCONTACTED) {
			filter := lead.Filter{Sort: sort}
			if status != "" {
				filter.Status = &status
			}
			want := naive(all, filter)
			for _, size := range []int32{1, 7, 60} {
				require.Equal(t, want, f.pages(t, filter, size, func(page.Page[db.Lead]) {}), "%s %q by %d", sort, status, size)
			}
		}
	}
}

func naive(all []db.Lead, filter lead.Filter) (ids []uuid.UUID) {
	rows := slices.DeleteFunc(slices.Clone(all), func(row db.Lead) bool { return filter.Status != nil && row.Status != *filter.Status })
	rank := func(row db.Lead) int {
		if row.Score == nil {
			return -1
		}
		return int(*row.Score)
	}
	slices.Reverse(rows) // created in order: newest first
	if filter.Sort == api.LeadSortScore {
		slices.SortStableFunc(rows, func(a, b db.Lead) int { return rank(b) - rank(a) })
	}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// TestACursorOutlivesItsRow deletes the last row of each page before the next is read.
func TestACursorOutlivesItsRow(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var want []uuid.UUID
	for range 9 {
		want = append(want, f.create(t, `{"name":"A"}`).ID)
	}
	slices.Reverse(want)
	for _, sort := range []api.LeadSort{api.LeadSortScore, api.LeadSortNewest} {
		got := f.pages(t, lead.Filter{Sort: sort}, 2, func(read page.Page[db.Lead]) {
			if sort == api.LeadSortNewest {
				require.NoError(t, f.leads.Delete(t.Context(), f.DB, f.Ours, read.Rows[1].ID))
			}
			f.create(t, `{"name":"new"}`)
		})
		if sort == api.LeadSortScore {
			require.Equal(t, want, got)
			continue
		}
		require.Equal(t, want, got[len(got)-9:], "no row is skipped or repeated")
	}
}

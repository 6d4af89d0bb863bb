package lead

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
)

const unscored = -1 // ranks a lead without a score below all others

// Filter selects leads and their order.
type Filter struct {
	Status *api.LeadStatus
	Sort   api.LeadSort
}

// List returns a page of leads, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, filter Filter, request page.Request) (page.Page[db.Lead], error) {
	var status api.LeadStatus
	if filter.Status != nil {
		status = *filter.Status
	}
	list := page.List{Workspace: workspaceID, Name: "leads", Filters: []string{string(status), string(filter.Sort)}}
	from, err := s.Pages.Decode(list, request)
	if err != nil {
		return page.Page[db.Lead]{}, err
	}
	rows, err := s.query(ctx, workspaceID, status, filter.Sort, from, request.Size()+1)
	if err != nil {
		return page.Page[db.Lead]{}, fmt.Errorf("list leads: %w", err)
	}
	return page.Cut(s.Pages, list, request, rows, position), nil
}

// query runs the statement for a filter and sort order. Each combination has its own
// statement and index.
func (s *Service) query(ctx context.Context, workspaceID uuid.UUID, status api.LeadStatus, sort api.LeadSort, from page.Position, limit int32) ([]db.Lead, error) {
	q := db.New()
	switch byScore := sort == api.LeadSortScore; {
	case byScore && status != "":
		return q.LeadListByScoreAndStatus(ctx, s.DB, db.LeadListByScoreAndStatusParams{
			WorkspaceID: workspaceID, Status: status, BeforeScore: from.Score, BeforeID: from.ID, RowLimit: limit,
		})
	case byScore:
		return q.LeadListByScore(ctx, s.DB, db.LeadListByScoreParams{
			WorkspaceID: workspaceID, BeforeScore: from.Score, BeforeID: from.ID, RowLimit: limit,
		})
	case status != "":
		return q.LeadListNewestByStatus(ctx, s.DB, db.LeadListNewestByStatusParams{
			WorkspaceID: workspaceID, Status: status, BeforeID: from.ID, RowLimit: limit,
		})
	}
	return q.LeadListNewest(ctx, s.DB, db.LeadListNewestParams{WorkspaceID: workspaceID, BeforeID: from.ID, RowLimit: limit})
}

func position(row db.Lead) page.Position {
	at := page.Position{Score: unscored, ID: row.ID}
	if row.Score != nil {
		at.Score = *row.Score
	}
	return at
}

package agent

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
)

// RunsKept is how long runs that have ended are kept.
const RunsKept = 90 * 24 * time.Hour

// Runs returns a page of the runs of an agent, newest first. It fails with
// postgres.ErrNotFound or page.ErrInvalidCursor.
func (s *Service) Runs(ctx context.Context, workspaceID, agentID uuid.UUID, request page.Request) (page.Page[db.AgentRun], error) {
	if _, err := s.Get(ctx, workspaceID, agentID); err != nil {
		return page.Page[db.AgentRun]{}, err
	}
	list := page.List{Workspace: workspaceID, Name: "agent runs", Filters: []string{agentID.String()}}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.AgentRun, error) {
		return db.New().AgentRunList(ctx, s.DB, db.AgentRunListParams{WorkspaceID: workspaceID, AgentID: agentID, BeforeID: before, RowLimit: limit})
	}, func(run db.AgentRun) uuid.UUID { return run.ID })
}

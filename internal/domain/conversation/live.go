package conversation

import (
	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Changed tells what shows conversations live that these have changed, once that is
// committed.
func (s *Service) Changed(on postgres.Conn, ids ...uuid.UUID) {
	if s.Live == nil || len(ids) == 0 {
		return
	}
	hints := make([]fanout.Hint, len(ids))
	for i, id := range ids {
		hints[i] = fanout.Hint{Topic: id}
	}
	postgres.AfterCommit(on, func() { s.Live.Publish(hints...) })
}

package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	batch    = 10_000
	lastYear = 365 * 24 * time.Hour
	unscored = 5 // one in this many leads has no score
)

// LoadLeads adds count leads to a workspace with COPY, spread over the year before now.
// It calls progress with the number of leads added since the last call.
func LoadLeads(ctx context.Context, on *postgres.DB, workspaceID uuid.UUID, now time.Time, count int, progress func(int)) error {
	c := clock.NewFake(now.Add(-lastYear))
	ids := id.NewGenerator(c)
	step := lastYear / time.Duration(max(count, 1))
	for done := 0; done < count; {
		rows := make([]db.LeadInsertManyParams, 0, min(batch, count-done))
		for range cap(rows) {
			c.Advance(step)
			rows = append(rows, randomLead(workspaceID, ids))
		}
		if err := insertLeads(ctx, on, rows); err != nil {
			return err
		}
		done += len(rows)
		progress(len(rows))
	}
	if _, err := on.Exec(ctx, "ANALYZE leads"); err != nil {
		return fmt.Errorf("analyze leads: %w", err)
	}
	return nil
}

// insertLeads inserts leads and counts them for analytics.
func insertLeads(ctx context.Context, on *postgres.DB, rows []db.LeadInsertManyParams) error {
	type group struct {
		day  time.Time
		kind string
	}
	counts := map[group]int64{}
	for _, row := range rows {
		counts[group{row.CreatedAt.UTC().Truncate(24 * time.Hour), "lead " + string(row.Status)}]++
	}
	deltas := make([]db.AnalyticsCountLeadsParams, 0, len(counts))
	for of, n := range counts {
		deltas = append(deltas, db.AnalyticsCountLeadsParams{WorkspaceID: rows[0].WorkspaceID, Day: of.day, Kind: of.kind, N: n})
	}
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := db.New().LeadInsertMany(ctx, tx, rows); err != nil {
			return fmt.Errorf("load leads: %w", err)
		}
		if _, err := db.New().AnalyticsCountLeads(ctx, tx, deltas); err != nil {
			return fmt.Errorf("count leads: %w", err)
		}
		return nil
	})
}

func randomLead(workspaceID uuid.UUID, ids *id.Generator) db.LeadInsertManyParams {
	leadID, now := ids.New()
	stages := []api.LeadStatus{api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST}
	first, last := firstNames[rand.IntN(len(firstNames))], lastNames[rand.IntN(len(lastNames))]
	var score *int16
	if rand.IntN(unscored) > 0 {
		value := int16(rand.IntN(101))
		score = &value
	}
	source := "seed"
	return db.LeadInsertManyParams{
		WorkspaceID: workspaceID, ID: leadID, Status: stages[rand.IntN(len(stages))], Score: score, Source: &source,
		Fields:    fields(first+" "+last, fmt.Sprintf("lead.%d@example.com", rand.IntN(1_000_000)), fmt.Sprintf("+48 %09d", rand.IntN(1_000_000_000))),
		CreatedAt: now, UpdatedAt: now,
	}
}

package evaluator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// maxRunning bounds the evaluations of a process at a time, of which a workspace has one.
	maxRunning = 2
	// atATime is how many conversations of an evaluation are held at a time.
	atATime = 4
	// deadline is how long an evaluation takes at most, from its start.
	deadline = time.Hour
	// lease is how long an evaluation belongs to a process that stops renewing it.
	lease     = 15 * time.Second
	heartbeat = 5 * time.Second
	// statementTimeout bounds what is asked of the database.
	statementTimeout = 10 * time.Second
	// maxTries is how often an evaluation is begun or continued without a process that ends well.
	maxTries = 3
)

// Runner claims and carries out evaluations.
type Runner struct {
	DB     *postgres.DB
	Engine *reply.Engine
	Clock  clock.Clock
	Log    *slog.Logger
	// Wake wakes the runner. It polls as well.
	Wake wake.Signal
	Poll time.Duration
}

// Run carries out evaluations until ctx ends. Those in progress are then given back.
func (r *Runner) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ended := make(chan struct{}, maxRunning)
	for free := maxRunning; ctx.Err() == nil; {
		claims, err := r.claim(ctx, free)
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "evaluations not claimed", "error", err)
		}
		free -= len(claims)
		for _, one := range claims {
			running.Go(func() {
				(&attempt{Runner: r, row: one}).work(ctx)
				ended <- struct{}{}
			})
		}
		free += r.wait(ctx, ended)
	}
}

// wait waits until there may be something to claim. It returns how many evaluations have ended.
func (r *Runner) wait(ctx context.Context, ended <-chan struct{}) (evaluations int) {
	timer := time.NewTimer(r.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.Wake:
	case <-ended:
		evaluations++
	}
	return evaluations
}

func (r *Runner) claim(ctx context.Context, free int) ([]db.AgentEvaluation, error) {
	if free == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := r.Clock.Now()
	claims, err := db.New().SystemAgentEvaluationClaim(ctx, r.DB, db.SystemAgentEvaluationClaimParams{
		Now: now, Until: now.Add(lease), Deadline: now.Add(deadline), RowLimit: int32(free),
	})
	if err != nil {
		return nil, fmt.Errorf("claim evaluations: %w", err)
	}
	return claims, nil
}

// Package runner lets agents reply to what contacts write. A run is a row with a lease: it is
// asked for in the transaction that stores the message, and everything that it does takes
// effect in the transaction that ends it. A process that dies in between has done nothing, and
// another one begins again. Each run has a deadline, after which the conversation is handed
// off: no one waits without a reply.
package runner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// maxRuns bounds the runs of a process at a time, most of which wait for a model without a
	// connection. Share is how many of them are of one workspace, in all processes.
	maxRuns = 64
	share   = 8
	// lease is how long a run belongs to a process that stops renewing it.
	lease     = 15 * time.Second
	heartbeat = 5 * time.Second
	// statementTimeout bounds what is asked of the database.
	statementTimeout = 10 * time.Second
	// maxTries is how often a run is begun: one whose processes keep dying is handed off.
	maxTries = 3
)

// Options configure a Runner.
type Options struct {
	DB            *postgres.DB
	Engine        *reply.Engine
	Conversations *conversation.Service
	Leads         *lead.Service
	Clock         clock.Clock
	Log           *slog.Logger
	// Wake wakes the runner. It polls as well.
	Wake wake.Signal
	Poll time.Duration
}

// Runner claims and carries out runs.
type Runner struct {
	Options

	after uuid.UUID // the workspace of the last claim
}

// New returns a runner.
func New(options Options) *Runner { return &Runner{Options: options} }

// Run carries out runs until ctx ends. Those in progress are then given back.
func (r *Runner) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ended := make(chan struct{}, maxRuns)
	for free := maxRuns; ctx.Err() == nil; {
		claims, err := r.claim(ctx, free)
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "agent runs not claimed", "error", err)
		}
		free -= len(claims)
		for _, one := range claims {
			running.Go(func() {
				(&attempt{Runner: r, run: one}).work(ctx)
				ended <- struct{}{}
			})
		}
		free += r.wait(ctx, ended)
	}
}

// wait waits until there may be something to claim. It returns how many runs have ended.
func (r *Runner) wait(ctx context.Context, ended <-chan struct{}) (runs int) {
	timer := time.NewTimer(r.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.Wake:
	case <-ended:
		runs++
	}
	return runs
}

func (r *Runner) claim(ctx context.Context, free int) ([]db.AgentRun, error) {
	if free == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := r.Clock.Now()
	claims, err := db.New().SystemAgentRunClaim(ctx, r.DB, db.SystemAgentRunClaimParams{
		Now: now, Until: now.Add(lease), Share: share, RowLimit: int32(free), AfterWorkspace: r.after,
	})
	if err != nil {
		return nil, fmt.Errorf("claim agent runs: %w", err)
	}
	if len(claims) > 0 {
		r.after = claims[len(claims)-1].WorkspaceID
	}
	return claims, nil
}

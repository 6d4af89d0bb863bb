package knowledge

import (
	"context"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/wake"
)

// claimTimeout bounds a claim, so that a connection that no longer responds stops the pool
// for seconds only.
const claimTimeout = 5 * time.Second

// Pool runs jobs of one type: of all workspaces up to Size at a time in this process, and
// of one workspace up to Share in all processes.
type Pool struct {
	*Worker

	Type        api.KnowledgeType
	Size, Share int
	// Wake wakes the pool. It polls as well.
	Wake wake.Signal
	Poll time.Duration
}

// RunPools runs pools until ctx ends and all have returned.
func RunPools(ctx context.Context, pools ...*Pool) {
	var running sync.WaitGroup
	for _, one := range pools {
		running.Go(func() { one.Run(ctx) })
	}
	running.Wait()
}

// Run claims and runs jobs until ctx ends. Jobs in progress are then released, for another
// process.
func (p *Pool) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ended := make(chan struct{}, p.Size)
	for free := p.Size; ctx.Err() == nil; {
		jobs := p.claim(ctx, free)
		free -= len(jobs)
		for _, job := range jobs {
			running.Go(func() {
				p.Work(ctx, job)
				ended <- struct{}{}
			})
		}
		free += p.wait(ctx, ended)
	}
}

// wait waits until there may be something to claim. It returns how many jobs have ended.
func (p *Pool) wait(ctx context.Context, ended <-chan struct{}) (jobs int) {
	timer := time.NewTimer(p.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-p.Wake:
	case <-ended:
		jobs++
	}
	return jobs
}

func (p *Pool) claim(ctx context.Context, free int) []db.KnowledgeJob {
	if free == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	jobs, err := p.Claim(ctx, free)
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "knowledge jobs not claimed", "type", p.Type, "error", err)
	}
	return jobs
}

// Claim leases up to limit jobs: first of the workspaces with the fewest jobs in progress.
func (p *Pool) Claim(ctx context.Context, limit int) ([]db.KnowledgeJob, error) {
	now := p.Clock.Now()
	return db.New().SystemKnowledgeJobClaim(ctx, p.DB, db.SystemKnowledgeJobClaimParams{
		Kind: p.Type, Now: now, Until: now.Add(lease), Share: int32(p.Share), MaxJobs: int32(limit),
	})
}

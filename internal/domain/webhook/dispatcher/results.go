package dispatcher

import (
	"sync"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
)

// result is the outcome of an attempt, or a delivery to requeue without one.
type result struct {
	row     db.SystemWebhookDeliveryClaimRow
	holder  holder
	attempt sender.Attempt
	requeue bool
}

// results are outcomes that wait to be recorded, a queue for each workspace. There are at
// most as many as deliveries may be claimed, because they count as claimed until then.
type results struct {
	mu      sync.Mutex
	arrived *sync.Cond
	queues  map[uuid.UUID][]result
	turns   []uuid.UUID // workspaces with results, the next one first
	closed  bool
}

func newResults() *results {
	r := &results{queues: map[uuid.UUID][]result{}}
	r.arrived = sync.NewCond(&r.mu)
	return r
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	workspace := one.row.WorkspaceID
	if len(r.queues[workspace]) == 0 {
		r.turns = append(r.turns, workspace)
	}
	r.queues[workspace] = append(r.queues[workspace], one)
	r.arrived.Signal()
}

// close lets take return what is left, and then nothing.
func (r *results) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.arrived.Signal()
}

// take waits for results and returns up to n of them, one of each workspace in turn, so
// that no workspace delays the others. The results of one workspace keep their order. It
// returns nothing once the queue is closed and empty.
func (r *results) take(n int) []result {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.turns) == 0 && !r.closed {
		r.arrived.Wait()
	}
	var batch []result
	for len(r.turns) > 0 && len(batch) < n {
		workspace := r.turns[0]
		queue := r.queues[workspace]
		batch = append(batch, queue[0])
		r.turns, queue[0] = r.turns[1:], result{} // frees the data
		if len(queue) == 1 {
			delete(r.queues, workspace)
			continue
		}
		r.queues[workspace] = queue[1:]
		r.turns = append(r.turns, workspace)
	}
	return batch
}

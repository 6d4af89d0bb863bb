package widget

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// maxReads is how many streams of a process read at a time, and maxReadsPerWorkspace
	// how many of one workspace. The others wait, without a connection to the database.
	maxReads             = 6
	maxReadsPerWorkspace = 3
)

// turns bounds the streams that read at a time.
type turns struct {
	all chan struct{}

	mu         sync.Mutex
	workspaces map[uuid.UUID]*turn
}

type turn struct {
	running chan struct{}
	members int // running and waiting
}

func newTurns() *turns {
	return &turns{all: make(chan struct{}, maxReads), workspaces: map[uuid.UUID]*turn{}}
}

// do runs fn when it is a workspace's turn.
func (t *turns) do(ctx context.Context, workspaceID uuid.UUID, timeout time.Duration, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	own := t.join(workspaceID)
	defer t.part(workspaceID)
	for _, slots := range []chan struct{}{own.running, t.all} {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return fmt.Errorf("wait for other streams: %w", ctx.Err())
		}
	}
	return fn(ctx)
}

func (t *turns) join(workspaceID uuid.UUID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	of, ok := t.workspaces[workspaceID]
	if !ok {
		of = &turn{running: make(chan struct{}, maxReadsPerWorkspace)}
		t.workspaces[workspaceID] = of
	}
	of.members++
	return of
}

func (t *turns) part(workspaceID uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.workspaces[workspaceID]
	if of.members--; of.members == 0 {
		delete(t.workspaces, workspaceID)
	}
}

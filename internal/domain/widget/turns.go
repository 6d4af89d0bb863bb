package widget

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/share"
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
	own share.Shares
}

func newTurns() *turns {
	return &turns{
		all: make(chan struct{}, maxReads),
		own: share.Shares{PerWorkspace: maxReadsPerWorkspace, MaxWaiting: maxPerWorkspace, MaxWait: readTimeout},
	}
}

// do runs fn when it is a workspace's turn.
func (t *turns) do(ctx context.Context, workspaceID uuid.UUID, timeout time.Duration, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	leave, err := t.own.Enter(ctx, workspaceID)
	if err != nil {
		return err
	}
	defer leave()
	select {
	case t.all <- struct{}{}:
		defer func() { <-t.all }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other streams: %w", ctx.Err())
	}
	return fn(ctx)
}

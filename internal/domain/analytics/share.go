package analytics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// perWorkspace is how many requests of a workspace run at a time, and maxWaiting how
	// many more wait for up to maxWait.
	perWorkspace = 2
	maxWaiting   = 16
	maxWait      = 2 * time.Second
)

// ErrBusy means that too many requests of the workspace are in progress.
var ErrBusy = errors.New("analytics: too many requests in progress")

// shares bounds the requests of each workspace, so that one with slow requests does not
// occupy the whole pool. The zero value is ready to use.
type shares struct {
	mu     sync.Mutex
	shares map[uuid.UUID]*share
}

type share struct {
	running chan struct{}
	members int // running and waiting
}

// enter waits until a request of the workspace may run. The caller calls leave after it.
func (s *shares) enter(ctx context.Context, workspaceID uuid.UUID) (leave func(), err error) {
	of, err := s.join(workspaceID)
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case of.running <- struct{}{}:
		return func() { <-of.running; s.part(workspaceID) }, nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = fmt.Errorf("wait for other analytics requests: %w", ctx.Err())
	}
	s.part(workspaceID)
	return nil, err
}

func (s *shares) join(workspaceID uuid.UUID) (*share, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares == nil {
		s.shares = map[uuid.UUID]*share{}
	}
	of, ok := s.shares[workspaceID]
	if !ok {
		of = &share{running: make(chan struct{}, perWorkspace)}
		s.shares[workspaceID] = of
	}
	if of.members == perWorkspace+maxWaiting {
		return nil, ErrBusy
	}
	of.members++
	return of, nil
}

func (s *shares) part(workspaceID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.shares[workspaceID]
	if of.members--; of.members == 0 {
		delete(s.shares, workspaceID)
	}
}

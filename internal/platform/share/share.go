// Package share divides a resource between workspaces, such as a connection pool: each uses
// a part of it at most, so that one with slow requests does not occupy all of it.
package share

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// The limits of Shares where they are 0.
const (
	perWorkspace = 2
	maxWaiting   = 16
	maxWait      = 2 * time.Second
)

// ErrBusy means that too many uses of the workspace are in progress.
var ErrBusy = errors.New("share: too many requests in progress")

// Shares bounds the uses of each workspace. The zero value is ready to use.
type Shares struct {
	// PerWorkspace is how many uses of a workspace run at a time, and MaxWaiting how many
	// more wait for up to MaxWait; 0 for 2, 16 and 2 seconds.
	PerWorkspace, MaxWaiting int
	MaxWait                  time.Duration

	mu     sync.Mutex
	shares map[uuid.UUID]*share
}

type share struct {
	running chan struct{}
	members int // running and waiting
}

// Enter waits until the workspace may use the resource, or fails with ErrBusy. The caller
// calls leave after the use.
func (s *Shares) Enter(ctx context.Context, workspaceID uuid.UUID) (leave func(), err error) {
	of, err := s.join(workspaceID)
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(cmp.Or(s.MaxWait, maxWait))
	defer timeout.Stop()
	select {
	case of.running <- struct{}{}:
		return func() { <-of.running; s.part(workspaceID) }, nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = fmt.Errorf("wait for other requests of the workspace: %w", ctx.Err())
	}
	s.part(workspaceID)
	return nil, err
}

func (s *Shares) join(workspaceID uuid.UUID) (*share, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares == nil {
		s.shares = map[uuid.UUID]*share{}
	}
	of, ok := s.shares[workspaceID]
	if !ok {
		of = &share{running: make(chan struct{}, cmp.Or(s.PerWorkspace, perWorkspace))}
		s.shares[workspaceID] = of
	}
	if of.members == cap(of.running)+cmp.Or(s.MaxWaiting, maxWaiting) {
		return nil, ErrBusy
	}
	of.members++
	return of, nil
}

func (s *Shares) part(workspaceID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.shares[workspaceID]
	if of.members--; of.members == 0 {
		delete(s.shares, workspaceID)
	}
}

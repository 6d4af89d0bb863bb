// Package idempotency runs a request at most once per key, even if the server crashes.
//
// A key is reserved before its request runs, in a statement of its own: a lease that ends
// by itself if the server dies. Nothing is held while the request runs. Its response is
// stored in the transaction of its change, and only by the owner of the lease, so the
// change and the response are both there or neither is. A request that fails releases its
// key, so a corrected request can use it.
package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Kept is how long a response is kept, from the first request with its key.
const Kept = 24 * time.Hour

const (
	releaseTimeout = 5 * time.Second
	reserveTries   = 3
)

var (
	// ErrReused means that the key belongs to a different request.
	ErrReused = errors.New("idempotency: the key was used with a different request")
	// ErrLeaseLost means that the lease ended before the request completed, and that
	// another request has the key.
	ErrLeaseLost = errors.New("idempotency: the lease of the key was lost")
)

// InUseError means that another request with the key is still running.
type InUseError struct {
	// RetryAfter is when its lease ends at the latest; at least a second.
	RetryAfter time.Duration
}

// Error implements error.
func (e *InUseError) Error() string {
	return fmt.Sprintf("idempotency: the key is in use for %s at most", e.RetryAfter)
}

// Store keeps keys and responses.
type Store struct {
	DB    *postgres.DB
	Clock clock.Clock
}

// Response is a stored response.
type Response struct {
	Status int
	Header map[string][]string // keys are in canonical form, as in http.Header
	Body   []byte
}

// Stored is the response to an earlier request.
type Stored struct {
	Response

	fingerprint []byte
}

// Matches fails with ErrReused if the earlier request had another fingerprint.
func (s *Stored) Matches(fingerprint []byte) error {
	if !bytes.Equal(s.fingerprint, fingerprint) {
		return ErrReused
	}
	return nil
}

// Reservation is the right to run the request of a key.
type Reservation struct {
	store       *Store
	workspaceID uuid.UUID
	key         string
	owner       uuid.UUID
}

// Reserve leases a key, or returns the response to an earlier request with it. It fails
// with an *InUseError while another request has the lease.
func (s *Store) Reserve(ctx context.Context, workspaceID uuid.UUID, key string, lease time.Duration) (*Reservation, *Stored, error) {
	r := &Reservation{store: s, workspaceID: workspaceID, key: key, owner: uuid.New()}
	for range reserveTries {
		now := s.Clock.Now()
		reserved, err := db.New().IdempotencyKeyReserve(ctx, s.DB, db.IdempotencyKeyReserveParams{
			WorkspaceID: workspaceID, Key: key, Owner: r.owner, LeasedUntil: now.Add(lease), Now: now, ExpiredBefore: now.Add(-Kept),
		})
		if err != nil {
			return nil, nil, fmt.Errorf("reserve idempotency key: %w", err)
		}
		if reserved > 0 {
			return r, nil, nil
		}
		stored, err := s.get(ctx, workspaceID, key, now)
		if !postgres.IsNotFound(err) {
			return nil, stored, err
		}
		// Released meanwhile.
	}
	return nil, nil, &InUseError{RetryAfter: time.Second}
}

// get reads a key that could not be reserved.
func (s *Store) get(ctx context.Context, workspaceID uuid.UUID, key string, now time.Time) (*Stored, error) {
	row, err := db.New().IdempotencyKeyGet(ctx, s.DB, db.IdempotencyKeyGetParams{WorkspaceID: workspaceID, Key: key})
	if err != nil {
		return nil, fmt.Errorf("get idempotency key: %w", err)
	}
	if row.Status == nil {
		return nil, &InUseError{RetryAfter: max(row.LeasedUntil.Sub(now), time.Second)}
	}
	stored := &Stored{Response: Response{Status: int(*row.Status), Body: row.Body}, fingerprint: row.Fingerprint}
	if err := json.Unmarshal(row.Header, &stored.Header); err != nil {
		return nil, fmt.Errorf("stored response: %w", err)
	}
	return stored, nil
}

// Complete stores the response of the request: in the transaction of its change if on is
// one. It fails with ErrLeaseLost, when the change must be rolled back.
func (r *Reservation) Complete(ctx context.Context, on postgres.Conn, fingerprint []byte, response Response) error {
	header, err := json.Marshal(response.Header)
	if err != nil {
		return fmt.Errorf("store response: %w", err)
	}
	completed, err := db.New().IdempotencyKeyComplete(ctx, on, db.IdempotencyKeyCompleteParams{
		WorkspaceID: r.workspaceID, Key: r.key, Owner: r.owner, Fingerprint: fingerprint,
		Status: int32(response.Status), Header: header, Body: response.Body,
	})
	if err != nil {
		return fmt.Errorf("store response: %w", err)
	}
	if completed == 0 {
		return ErrLeaseLost
	}
	return nil
}

// Replace replaces the stored response, which was not the last of the request.
func (r *Reservation) Replace(ctx context.Context, on postgres.Conn, response Response) error {
	header, err := json.Marshal(response.Header)
	if err != nil {
		return fmt.Errorf("replace response: %w", err)
	}
	err = db.New().IdempotencyKeyReplace(ctx, on, db.IdempotencyKeyReplaceParams{
		WorkspaceID: r.workspaceID, Key: r.key, Owner: r.owner, Status: int32(response.Status), Header: header, Body: response.Body,
	})
	if err != nil {
		return fmt.Errorf("replace response: %w", err)
	}
	return nil
}

// Release frees the key of a request that did not complete, even if its caller has gone.
// A completed one keeps its response.
func (r *Reservation) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := db.New().IdempotencyKeyRelease(ctx, r.store.DB, db.IdempotencyKeyReleaseParams{WorkspaceID: r.workspaceID, Key: r.key, Owner: r.owner})
	if err != nil {
		return fmt.Errorf("release idempotency key: %w", err)
	}
	return nil
}

// DeleteExpired deletes up to maxRows responses that have expired, and returns how many.
func (s *Store) DeleteExpired(ctx context.Context, maxRows int32) (int64, error) {
	deleted, err := db.New().SystemIdempotencyKeyDeleteOld(ctx, s.DB, db.SystemIdempotencyKeyDeleteOldParams{Before: s.Clock.Now().Add(-Kept), MaxRows: maxRows})
	if err != nil {
		return 0, fmt.Errorf("delete expired responses: %w", err)
	}
	return deleted, nil
}

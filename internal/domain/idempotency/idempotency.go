// Package idempotency does a request once however often it is sent. The answer
// is stored in the transaction of the change; while a request runs, an advisory
// lock of that transaction holds its key, so that a crash leaves nothing behind.
// Refusals change nothing and are not stored: a corrected request may use the key
// again.
package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// ErrKeyInUse means that a request with the same key is in progress.
var ErrKeyInUse = errors.New("idempotency: key in use")

// ErrKeyReused means that the key was used with a different request.
var ErrKeyReused = errors.New("idempotency: key reused")

// Kept is how long an answer is kept.
const Kept = 24 * time.Hour

// Store keeps answers.
type Store struct {
	DB    *postgres.DB
	Clock clock.Clock
}

// Request is a request with a key. The fingerprint tells it from others; it is asked
// for once the request is done, or where there is a stored answer: it may have to read
// a body to its end.
type Request struct {
	WorkspaceID uuid.UUID
	Key         string
	Fingerprint func() ([]byte, error)
}

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Stored is the body to keep, where it must differ: a secret shown once is not
	// kept and not replayed.
	Stored []byte
}

// Do runs fn in a transaction and stores its answer, or returns the stored one of
// an earlier run with replayed true. It fails as fn does, and with
// ErrKeyInUse or ErrKeyReused.
func (s *Store) Do(ctx context.Context, request Request, fn func(context.Context) (Answer, error)) (answer Answer, replayed bool, err error) {
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx pgx.Tx) error {
		if answer, replayed, err = s.claim(ctx, tx, request); err != nil || replayed {
			return err
		}
		if answer, err = fn(ctx); err != nil {
			return err
		}
		return s.put(ctx, tx, request, answer)
	})
	return answer, replayed, err
}

// claim locks the key and returns the answer that is stored under it, if any.
func (s *Store) claim(ctx context.Context, tx pgx.Tx, request Request) (Answer, bool, error) {
	q := db.New()
	free, err := q.IdempotencyKeyTryLock(ctx, tx, db.IdempotencyKeyTryLockParams{WorkspaceID: request.WorkspaceID, Key: request.Key})
	if err != nil {
		return Answer{}, false, fmt.Errorf("lock idempotency key: %w", err)
	}
	if !free {
		return Answer{}, false, ErrKeyInUse
	}
	row, err := q.IdempotencyKeyGet(ctx, tx, db.IdempotencyKeyGetParams{
		WorkspaceID: request.WorkspaceID, Key: request.Key, NotBefore: s.Clock.Now().Add(-Kept),
	})
	if postgres.IsNotFound(err) {
		return Answer{}, false, nil
	} else if err != nil {
		return Answer{}, false, fmt.Errorf("get idempotency key: %w", err)
	}
	fingerprint, err := request.Fingerprint()
	if err != nil {
		return Answer{}, false, err
	}
	if !bytes.Equal(row.Fingerprint, fingerprint) {
		return Answer{}, false, ErrKeyReused
	}
	answer := Answer{Status: int(row.Status), Body: row.Body}
	if err := json.Unmarshal(row.Header, &answer.Header); err != nil {
		return Answer{}, false, fmt.Errorf("stored answer: %w", err)
	}
	return answer, true, nil
}

func (s *Store) put(ctx context.Context, tx pgx.Tx, request Request, answer Answer) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return fmt.Errorf("store answer: %w", err)
	}
	fingerprint, err := request.Fingerprint()
	if err != nil {
		return err
	}
	body := answer.Body
	if answer.Stored != nil {
		body = answer.Stored
	}
	err = db.New().IdempotencyKeyPut(ctx, tx, db.IdempotencyKeyPutParams{
		WorkspaceID: request.WorkspaceID, Key: request.Key, Fingerprint: fingerprint,
		Status: int32(answer.Status), Header: header, Body: body, CreatedAt: s.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("store answer: %w", err)
	}
	return nil
}

// DeleteExpired deletes up to maxRows responses that have expired, and returns how many.
func (s *Store) DeleteExpired(ctx context.Context, maxRows int32) (int64, error) {
	gone, err := db.New().SystemIdempotencyKeyDeleteOld(ctx, s.DB, db.SystemIdempotencyKeyDeleteOldParams{Before: s.Clock.Now().Add(-Kept), MaxRows: maxRows})
	if err != nil {
		return 0, fmt.Errorf("delete expired responses: %w", err)
	}
	return gone, nil
}

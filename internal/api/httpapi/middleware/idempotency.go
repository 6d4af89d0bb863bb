package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	keyHeader    = "Idempotency-Key"
	replayHeader = "Idempotent-Replayed"
	// leaseMargin is how much longer than its deadline a request keeps its key: the
	// statements that it began by then have ended.
	leaseMargin = time.Second
)

var errNotStored = errors.New("the operation takes an Idempotency-Key and does not store its response: use Once or Afterwards")

// keyed is a request that has reserved its Idempotency-Key.
type keyed struct {
	reservation *idempotency.Reservation
	fingerprint func() ([]byte, error)
	shownOnce   []string // properties of the response that are not stored
	completed   bool
}

// Idempotent reserves the Idempotency-Key of a request for as long as the request may
// take, and replays the response to an earlier one. Nothing is held while the handler
// runs, which stores its response by Once or Afterwards; if it fails, the key is released.
func Idempotent(store *idempotency.Store) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			call := CallFrom(r.Context())
			key := r.Header.Get(keyHeader)
			if call.Operation == nil || !call.Operation.Idempotent || call.Operation.ReadOnly || key == "" {
				return next(c)
			}
			deadline, _ := r.Context().Deadline() // set by Begin
			reservation, stored, err := store.Reserve(r.Context(), call.Principal.WorkspaceID, key, time.Until(deadline)+leaseMargin)
			if err != nil {
				return err
			}
			fingerprint := newFingerprint(r, call)
			if stored != nil {
				return replay(c.Response(), stored, fingerprint)
			}
			failpoint.Hit(failpoint.KeyReserved)
			call.keyed = &keyed{reservation: reservation, fingerprint: fingerprint, shownOnce: call.Operation.ShownOnce}
			return call.keyed.run(c, next)
		}
	}
}

func (k *keyed) run(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() { // after a panic too
		if !k.completed {
			err = errors.Join(err, k.reservation.Release(c.Request().Context()))
		}
	}()
	if err := next(c); err != nil {
		return err
	}
	if !k.completed {
		return errNotStored
	}
	return nil
}

// Once runs fn, which changes the database, and returns its response. If the request has
// an Idempotency-Key, fn and the response, as visit renders it, are one transaction: after
// a crash at any point the key finds both or neither. fn may run more than once, and must
// run all its statements on the connection that it is given. Without a key that is the
// pool.
func Once[R any](ctx context.Context, pool *postgres.DB, visit func(R, http.ResponseWriter) error, fn func(context.Context, postgres.Conn) (R, error)) (response R, err error) {
	k := CallFrom(ctx).keyed
	if k == nil {
		return fn(ctx, pool)
	}
	fingerprint, err := k.fingerprint() // may read a body: before the transaction
	if err != nil {
		return response, err
	}
	err = postgres.WithTx(ctx, pool, func(ctx context.Context, tx postgres.Tx) error {
		if response, err = fn(ctx, tx); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ChangeMade)
		if err := k.complete(ctx, tx, fingerprint, func(w http.ResponseWriter) error { return visit(response, w) }); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ResponseStored)
		return nil
	})
	if err == nil {
		k.completed = true
		failpoint.Hit(failpoint.Committed)
	}
	return response, err
}

// Afterwards runs fn, whose effect is outside the database, holding nothing, and stores
// its response for the Idempotency-Key if there is one. After a crash between the two the
// request runs again.
func Afterwards[R any](ctx context.Context, pool *postgres.DB, visit func(R, http.ResponseWriter) error, fn func(context.Context) (R, error)) (R, error) {
	response, err := fn(ctx)
	k := CallFrom(ctx).keyed
	if err != nil || k == nil {
		return response, err
	}
	failpoint.Hit(failpoint.EffectDone)
	fingerprint, err := k.fingerprint()
	if err != nil {
		return response, err
	}
	err = k.complete(ctx, pool, fingerprint, func(w http.ResponseWriter) error { return visit(response, w) })
	if err == nil {
		k.completed = true
		failpoint.Hit(failpoint.OutcomeStored)
	}
	return response, err
}

func (k *keyed) complete(ctx context.Context, on postgres.Conn, fingerprint []byte, visit func(http.ResponseWriter) error) error {
	recorded := &recorder{header: http.Header{}, status: http.StatusOK}
	if err := visit(recorded); err != nil {
		return fmt.Errorf("render response: %w", err)
	}
	response := idempotency.Response{Status: recorded.status, Header: recorded.header, Body: recorded.body.Bytes()}
	if len(k.shownOnce) > 0 {
		var err error
		if response.Body, err = without(response.Body, k.shownOnce); err != nil {
			return err
		}
		delete(response.Header, "Content-Length")
	}
	return k.reservation.Complete(ctx, on, fingerprint, response)
}

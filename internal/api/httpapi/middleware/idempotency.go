package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/audit"
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
	// afterwardsTimeout bounds recording an effect outside the database.
	afterwardsTimeout = 5 * time.Second
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

// Once runs fn, which changes the database, and returns its response. Its change, its audit
// entry and, if the request has an Idempotency-Key, the response, as visit renders it, are
// one transaction: after a crash at any point there are all of them or none. fn may run
// more than once, and must run all its statements on the connection that it is given.
func Once[R any](ctx context.Context, log *audit.Log, visit func(R, http.ResponseWriter) error, fn func(context.Context, postgres.Conn) (R, error)) (response R, err error) {
	call := CallFrom(ctx)
	fingerprint, err := call.keyed.sum() // may read a body: before the transaction
	if err != nil {
		return response, err
	}
	err = postgres.WithTx(ctx, log.DB, func(ctx context.Context, tx postgres.Tx) error {
		if response, err = fn(ctx, tx); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ChangeMade)
		rendered, err := render(response, visit)
		if err != nil {
			return err
		}
		if err := log.Record(ctx, tx, call.entryOf(rendered.header)); err != nil {
			return err
		}
		return call.keyed.complete(ctx, tx, fingerprint, rendered)
	})
	call.keyed.committed(err)
	return response, err
}

// OnceByStatement is Once for an fn that is a single statement, which also records the
// audit entry that fn is given. Without a key, it is not in an explicit transaction, which
// saves round trips.
func OnceByStatement[R any](ctx context.Context, log *audit.Log, visit func(R, http.ResponseWriter) error, fn func(context.Context, postgres.Conn, audit.Entry) (R, error)) (response R, err error) {
	call := CallFrom(ctx)
	if call.keyed == nil {
		response, err = fn(ctx, log.DB, call.entry())
		call.keyed.committed(err)
		return response, err
	}
	fingerprint, err := call.keyed.sum()
	if err != nil {
		return response, err
	}
	err = postgres.WithTx(ctx, log.DB, func(ctx context.Context, tx postgres.Tx) error {
		if response, err = fn(ctx, tx, call.entry()); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ChangeMade)
		rendered, err := render(response, visit)
		if err != nil {
			return err
		}
		return call.keyed.complete(ctx, tx, fingerprint, rendered)
	})
	call.keyed.committed(err)
	return response, err
}

// Afterwards runs fn, whose effect is outside the database, holding nothing. It then
// stores, in one transaction, the audit entry and the response for the Idempotency-Key if
// there is one, also if the caller has gone by then. After a crash between the two, a
// request with a key runs again.
func Afterwards[R any](ctx context.Context, log *audit.Log, visit func(R, http.ResponseWriter) error, fn func(context.Context) (R, error)) (R, error) {
	response, err := fn(ctx)
	if err != nil {
		return response, err
	}
	failpoint.Hit(failpoint.EffectDone)
	call := CallFrom(ctx)
	fingerprint, err := call.keyed.sum()
	if err != nil {
		return response, err
	}
	rendered, err := render(response, visit)
	if err != nil {
		return response, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwardsTimeout)
	defer cancel()
	err = postgres.WithTx(ctx, log.DB, func(ctx context.Context, tx postgres.Tx) error {
		if err := log.Record(ctx, tx, call.entryOf(rendered.header)); err != nil {
			return err
		}
		return call.keyed.store(ctx, tx, fingerprint, rendered)
	})
	if err == nil && call.keyed != nil {
		call.keyed.completed = true
		failpoint.Hit(failpoint.OutcomeStored)
	}
	return response, err
}

// Amend runs fn after Once, to change the database again by the outcome of a call to another
// system. The response of fn, as visit renders it, replaces that of Once for the
// Idempotency-Key, if there is one. After a crash between the two, a request with the key
// receives the first response.
func Amend[R any](ctx context.Context, log *audit.Log, visit func(R, http.ResponseWriter) error, fn func(context.Context, postgres.Conn) (R, error)) (response R, err error) {
	call := CallFrom(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwardsTimeout)
	defer cancel()
	err = postgres.WithTx(ctx, log.DB, func(ctx context.Context, tx postgres.Tx) error {
		if response, err = fn(ctx, tx); err != nil || call.keyed == nil {
			return err
		}
		rendered, err := render(response, visit)
		if err != nil {
			return err
		}
		stored, err := call.keyed.storable(rendered)
		if err != nil {
			return err
		}
		return call.keyed.reservation.Replace(ctx, tx, stored)
	})
	return response, err
}

// render returns a response as visit writes it.
func render[R any](response R, visit func(R, http.ResponseWriter) error) (*recorder, error) {
	rendered := &recorder{header: http.Header{}, status: http.StatusOK}
	if err := visit(response, rendered); err != nil {
		return nil, fmt.Errorf("render response: %w", err)
	}
	return rendered, nil
}

// sum returns the fingerprint of the request; nil without a key.
func (k *keyed) sum() ([]byte, error) {
	if k == nil {
		return nil, nil
	}
	return k.fingerprint()
}

// complete stores the response of a change in its transaction, if there is a key.
func (k *keyed) complete(ctx context.Context, tx postgres.Tx, fingerprint []byte, rendered *recorder) error {
	if k == nil {
		return nil
	}
	if err := k.store(ctx, tx, fingerprint, rendered); err != nil {
		return err
	}
	failpoint.Hit(failpoint.ResponseStored)
	return nil
}

// committed notes the end of the transaction.
func (k *keyed) committed(err error) {
	if err != nil {
		return
	}
	if k != nil {
		k.completed = true
	}
	failpoint.Hit(failpoint.Committed)
}

// store stores the response, if there is a key.
func (k *keyed) store(ctx context.Context, tx postgres.Tx, fingerprint []byte, rendered *recorder) error {
	if k == nil {
		return nil
	}
	response, err := k.storable(rendered)
	if err != nil {
		return err
	}
	return k.reservation.Complete(ctx, tx, fingerprint, response)
}

// storable returns a response as it is stored: without what is shown once.
func (k *keyed) storable(rendered *recorder) (response idempotency.Response, err error) {
	response = idempotency.Response{Status: rendered.status, Header: rendered.header, Body: rendered.body.Bytes()}
	if len(k.shownOnce) > 0 {
		if response.Body, err = without(response.Body, k.shownOnce); err != nil {
			return response, err
		}
		delete(response.Header, "Content-Length")
	}
	return response, nil
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	txAttempts      = 3
	rollbackTimeout = 5 * time.Second
)

type txKey struct{}

// WithTx runs fn in a transaction and commits it when fn returns nil. Inside,
// statements run on tx or, with fn's context, on the DB: both are in the
// transaction. A call inside another joins that one. A transaction that fails to
// serialize or deadlocks is run again, so fn must do nothing but statements.
func WithTx(ctx context.Context, on *DB, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if tx, ok := ctx.Value(txKey{}).(pgx.Tx); ok {
		return fn(ctx, tx)
	}
	var err error
	for range txAttempts {
		if err = runTx(ctx, on, fn); !isRetryable(err) {
			return err
		}
	}
	return err
}

func runTx(ctx context.Context, on *DB, fn func(ctx context.Context, tx pgx.Tx) error) error {
	tx, err := on.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(ctx, tx)
	if err := fn(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback ends what was not committed, even where the caller has gone.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	// After a commit there is nothing to roll back; a connection that cannot is
	// closed by the pool, and the server rolls back.
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return
	}
}

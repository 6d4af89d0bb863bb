package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/db"
)

const (
	txAttempts      = 3
	rollbackTimeout = 5 * time.Second
)

// Conn is where statements run: the pool (*DB), one transaction each, or a transaction
// (Tx). A method that accepts a Conn lets its caller combine several methods in one
// transaction.
type Conn interface {
	db.DBTX

	withTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	afterCommit(fn func())
}

// Tx is a transaction of WithTx.
type Tx struct {
	pgx.Tx

	after *[]func() // see AfterCommit
}

var (
	_ Conn = (*DB)(nil)
	_ Conn = Tx{}
)

// WithTx runs fn in a transaction. On the pool it begins one, and commits it when fn
// returns nil; on a transaction fn joins that one. While fn runs, it holds a connection:
// it must run statements only, and all of them on tx. A transaction that fails to
// serialize or deadlocks is retried, so fn may run more than once.
func WithTx(ctx context.Context, on Conn, fn func(ctx context.Context, tx Tx) error) error {
	return on.withTx(ctx, fn)
}

func (t Tx) withTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	return fn(ctx, t)
}

// AfterCommit calls fn once what on has done is committed: immediately on the pool, where
// each statement is a transaction, and after the commit of a transaction, unless that is
// rolled back. After a crash it may not be called at all.
func AfterCommit(on Conn, fn func()) { on.afterCommit(fn) }

func (*DB) afterCommit(fn func()) { fn() }

func (t Tx) afterCommit(fn func()) {
	if t.after != nil {
		*t.after = append(*t.after, fn)
	}
}

func (d *DB) withTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	var err error
	for range txAttempts {
		if err = d.runTx(ctx, fn); !isRetryable(err) {
			return err
		}
	}
	return err
}

func (d *DB) runTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	tx, err := d.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(ctx, tx)
	var after []func()
	if err := fn(ctx, Tx{tx, &after}); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, call := range after {
		call()
	}
	return nil
}

// rollback rolls back the transaction even if the caller's context is canceled.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	// After a commit there is nothing to roll back. If the rollback fails, the pool closes
	// the connection and the server rolls back.
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return
	}
}

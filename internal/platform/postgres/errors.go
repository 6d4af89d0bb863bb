package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// ErrNotFound means that a row looked up by its key does not exist in the workspace.
var ErrNotFound = errors.New("not found")

// Found wraps the error of a lookup by key with what was being done: no row becomes
// ErrNotFound. Other statements must not use it: there, a missing row is a fault.
func Found(doing string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// IsNotFound reports whether a query returned no row, or a lookup ErrNotFound.
func IsNotFound(err error) bool { return errors.Is(err, pgx.ErrNoRows) || errors.Is(err, ErrNotFound) }

// Violates reports whether a statement broke the named constraint. The names are
// constants of gen/db.
func Violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// IsUnavailable reports whether the database could not be reached or was not ready: a retry
// may succeed.
func IsUnavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Class 08 connection exception, 53 insufficient resources, 57P operator
		// intervention (shutdown), 25006 a standby took a write, 25P03 this process was
		// stopped in a transaction.
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") ||
			strings.HasPrefix(pg.Code, "57P") || pg.Code == "25006" || pg.Code == "25P03" || isRetryable(err)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, puddle.ErrClosedPool) ||
		pgconn.SafeToRetry(err)
}

// isRetryable reports a serialization failure (40001) or a deadlock (40P01).
func isRetryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

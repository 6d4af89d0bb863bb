package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Pooled reports whether a URL leads to a connection pooler: then the session that runs
// a statement is not the one that the connection was given at its start.
func Pooled(ctx context.Context, url string) (bool, error) {
	config, err := configure(url, Options{})
	if err != nil {
		return false, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return false, fmt.Errorf("connect to the database: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer conn.Close(ctx)
	var pid uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return false, fmt.Errorf("look for a connection pooler: %w", err)
	}
	return pid != conn.PgConn().PID(), nil
}

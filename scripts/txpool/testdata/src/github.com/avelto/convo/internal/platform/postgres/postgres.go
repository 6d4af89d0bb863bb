package postgres

import (
	"github.com/avelto/convo/gen/db"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type DB struct{ pool *pgxpool.Pool }

func (d *DB) Exec() error         { return d.pool.Exec() }
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

type Tx struct{ pgx.Tx }

type Conn interface{ db.DBTX }

func WithTx(on Conn, fn func(tx Tx) error) error { return fn(Tx{}) }

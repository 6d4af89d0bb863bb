package pgxpool

import "github.com/jackc/pgx/v5"

type Pool struct{}

func (*Pool) Exec() error            { return nil }
func (*Pool) Begin() (pgx.Tx, error) { return nil, nil }

package pgx

type Tx interface{ Exec() error }

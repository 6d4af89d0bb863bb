package db

type DBTX interface{ Exec() error }

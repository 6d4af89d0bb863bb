package thing

import (
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/jackc/pgx/v5/pgxpool"
)

type Service struct{ DB *postgres.DB }

func (s *Service) Get() error { // want Get:"usesPool"
	return s.DB.Exec()
}

func (s *Service) Indirect() error { // want Indirect:"usesPool"
	return s.Get()
}

func (s *Service) Create(on postgres.Conn) error { return on.Exec() }

func (s *Service) Good() error { // want Good:"usesPool"
	if err := s.Get(); err != nil {
		return err
	}
	return postgres.WithTx(s.DB, func(tx postgres.Tx) error {
		return postgres.WithTx(tx, func(tx postgres.Tx) error { return s.Create(tx) })
	})
}

func (s *Service) Bad() error { // want Bad:"usesPool"
	return postgres.WithTx(s.DB, func(tx postgres.Tx) error {
		if err := s.DB.Exec(); err != nil { // want "the pool is used inside a transaction"
			return err
		}
		if err := s.Indirect(); err != nil { // want "Indirect uses the pool and is called inside a transaction"
			return err
		}
		later := func() error { return s.Get() } // want "Get uses the pool and is called inside a transaction"
		return later()
	})
}

func (s *Service) BadParameter(on postgres.Conn) error { // want BadParameter:"usesPool"
	return s.Create(s.DB) // want "the pool is used inside a transaction"
}

func (s *Service) BadStatements(on db.DBTX) error { // want BadStatements:"usesPool"
	other := Service{DB: s.DB}       // want "the pool is used inside a transaction"
	return other.Create(s.DB.Pool()) // want "the pool is used inside a transaction"
}

func BadVariable(pool *pgxpool.Pool) error { // want BadVariable:"usesPool"
	tx, err := pool.Begin()
	if err != nil {
		return err
	}
	_ = pool.Exec() // want "the pool is used inside a transaction"
	return tx.Exec()
}

func GoodStatements(s *Service) error { // want GoodStatements:"usesPool"
	var on db.DBTX = s.DB
	return s.Create(on)
}

func GoodVariable(pool *pgxpool.Pool) error { // want GoodVariable:"usesPool"
	if err := pool.Exec(); err != nil {
		return err
	}
	return nil
}

func Generic[T any](s *Service, of T) error { // want Generic:"usesPool"
	return s.Get()
}

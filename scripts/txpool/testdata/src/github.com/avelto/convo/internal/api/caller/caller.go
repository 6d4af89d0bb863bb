package caller

import (
	"github.com/avelto/convo/internal/domain/thing"
	"github.com/avelto/convo/internal/platform/postgres"
)

func Handle(things *thing.Service) error { // want Handle:"usesPool"
	return postgres.WithTx(things.DB, func(tx postgres.Tx) error {
		if err := things.Create(tx); err != nil {
			return err
		}
		if err := thing.Generic(things, 1); err != nil { // want "Generic uses the pool and is called inside a transaction"
			return err
		}
		return things.Get() // want "Get uses the pool and is called inside a transaction"
	})
}

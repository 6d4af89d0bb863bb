// Package secret manages the keys that encrypt the secrets in the database: it detects a
// wrong key at start, and encrypts everything again after a key rotation.
package secret

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// ErrWrongKey means that the secrets in the database are encrypted with none of the keys.
var ErrWrongKey = errors.New("no secret key fits this database, whose secrets were encrypted with another: add the previous key to CONVO_SECRET_KEYS, after the new one")

const (
	checkText = "convo secret key"
	batchSize = 200
)

// Store is the encrypted secrets of a database.
type Store struct {
	DB  *postgres.DB
	Box *seal.Box
}

// Check fails with ErrWrongKey if no key of the box opens the database's key check value.
// In a new database, it stores that value.
func (s *Store) Check(ctx context.Context) error {
	if err := db.New().SystemSecretKeyCheckCreate(ctx, s.DB, db.SystemSecretKeyCheckCreateParams{Sealed: s.check()}); err != nil {
		return fmt.Errorf("store key check value: %w", err)
	}
	sealed, err := db.New().SystemSecretKeyCheckGet(ctx, s.DB)
	if err != nil {
		return fmt.Errorf("read key check value: %w", err)
	}
	if _, err := s.Box.Open(sealed, []byte(checkText)); err != nil {
		return ErrWrongKey
	}
	return nil
}

func (s *Store) check() []byte { return s.Box.Seal(checkText, []byte(checkText)) }

// Rotated counts the webhooks whose secrets were encrypted again, and those whose secrets
// no key could open.
type Rotated struct{ Resealed, Lost int }

// Rotate encrypts all secrets with the newest key, in batches, while servers run. It
// fails with ErrWrongKey unless acceptLost is set: then secrets that no key opens stay as
// they are, and their webhooks report an error until their secrets are rotated.
func (s *Store) Rotate(ctx context.Context, acceptLost bool) (done Rotated, err error) {
	if err := s.Check(ctx); err != nil && (!acceptLost || !errors.Is(err, ErrWrongKey)) {
		return done, err
	}
	var after db.SystemSecretListRow
	for {
		var rows []db.SystemSecretListRow
		var batch Rotated
		err := postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
			rows, batch, err = s.rotateBatch(ctx, tx, after.WorkspaceID, after.ID)
			return err
		})
		if err != nil {
			return done, err
		}
		done.Resealed, done.Lost = done.Resealed+batch.Resealed, done.Lost+batch.Lost
		if len(rows) < batchSize {
			break
		}
		after = rows[len(rows)-1]
	}
	if err := db.New().SystemSecretKeyCheckReplace(ctx, s.DB, db.SystemSecretKeyCheckReplaceParams{Sealed: s.check()}); err != nil {
		return done, fmt.Errorf("replace key check value: %w", err)
	}
	return done, nil
}

func (s *Store) rotateBatch(ctx context.Context, tx postgres.Tx, afterWorkspace, afterID uuid.UUID) (rows []db.SystemSecretListRow, done Rotated, err error) {
	rows, err = db.New().SystemSecretList(ctx, tx, db.SystemSecretListParams{AfterWorkspaceID: afterWorkspace, AfterID: afterID, RowLimit: batchSize})
	if err != nil {
		return nil, done, fmt.Errorf("list secrets: %w", err)
	}
	for _, row := range rows {
		place := sender.SecretContext(row.WorkspaceID, row.ID)
		current, err := s.Box.Reseal(row.Secret, place)
		if err != nil {
			done.Lost++
			continue
		}
		// A previous secret that cannot be opened is not used for signing anyway.
		previous, err := s.Box.Reseal(row.PreviousSecret, place)
		if err != nil {
			previous = nil
		}
		params := db.SecretReplaceParams{WorkspaceID: row.WorkspaceID, ID: row.ID, Secret: current, PreviousSecret: previous}
		if err := db.New().SecretReplace(ctx, tx, params); err != nil {
			return nil, done, fmt.Errorf("replace secrets: %w", err)
		}
		done.Resealed++
	}
	return rows, done, nil
}

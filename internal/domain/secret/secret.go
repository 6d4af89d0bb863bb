// Package secret manages the keys that encrypt the secrets in the database: it detects a
// wrong key at start, and encrypts everything again after a key rotation.
package secret

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/channel"
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

// Rotated counts what was encrypted again, and what no key could open.
type Rotated struct{ Webhooks, Channels, ModelProviders Count }

// Count counts rows with secrets.
type Count struct{ Resealed, Lost int }

// Rotate encrypts all secrets with the newest key, in batches, while servers run. It
// fails with ErrWrongKey unless acceptLost is set: then secrets that no key opens stay as
// they are, and their webhooks, channels and model providers report an error until their secrets are
// replaced.
func (s *Store) Rotate(ctx context.Context, acceptLost bool) (done Rotated, err error) {
	if err := s.Check(ctx); err != nil && (!acceptLost || !errors.Is(err, ErrWrongKey)) {
		return done, err
	}
	if done.Webhooks, err = s.rotate(ctx, s.rotateWebhooks); err != nil {
		return done, err
	}
	if done.Channels, err = s.rotate(ctx, s.rotateChannels); err != nil {
		return done, err
	}
	if done.ModelProviders, err = s.rotate(ctx, s.rotateModelProviders); err != nil {
		return done, err
	}
	if err := db.New().SystemSecretKeyCheckReplace(ctx, s.DB, db.SystemSecretKeyCheckReplaceParams{Sealed: s.check()}); err != nil {
		return done, fmt.Errorf("replace key check value: %w", err)
	}
	return done, nil
}

// position is the key of the last row of a batch. Rows have an id or a name.
type position struct {
	workspaceID, id uuid.UUID
	name            string
}

// batch encrypts the secrets of the rows after a position again, and returns the position
// of the last one and how many rows there were.
type batch func(ctx context.Context, tx postgres.Tx, after position) (last position, rows int, done Count, err error)

func (s *Store) rotate(ctx context.Context, next batch) (done Count, err error) {
	var after position
	for {
		var rows int
		var counted Count
		err := postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
			var last position
			if last, rows, counted, err = next(ctx, tx, after); err == nil {
				after = last
			}
			return err
		})
		if err != nil {
			return done, err
		}
		done.Resealed, done.Lost = done.Resealed+counted.Resealed, done.Lost+counted.Lost
		if rows < batchSize {
			return done, nil
		}
	}
}

func (s *Store) rotateWebhooks(ctx context.Context, tx postgres.Tx, after position) (last position, n int, done Count, err error) {
	rows, err := db.New().SystemSecretList(ctx, tx, db.SystemSecretListParams{AfterWorkspaceID: after.workspaceID, AfterID: after.id, RowLimit: batchSize})
	if err != nil {
		return last, 0, done, fmt.Errorf("list secrets: %w", err)
	}
	for _, row := range rows {
		last = position{workspaceID: row.WorkspaceID, id: row.ID}
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
			return last, 0, done, fmt.Errorf("replace secrets: %w", err)
		}
		done.Resealed++
	}
	return last, len(rows), done, nil
}

func (s *Store) rotateChannels(ctx context.Context, tx postgres.Tx, after position) (last position, n int, done Count, err error) {
	rows, err := db.New().SystemChannelSecretList(ctx, tx, db.SystemChannelSecretListParams{AfterWorkspaceID: after.workspaceID, AfterID: after.id, RowLimit: batchSize})
	if err != nil {
		return last, 0, done, fmt.Errorf("list credentials: %w", err)
	}
	for _, row := range rows {
		last = position{workspaceID: row.WorkspaceID, id: row.ID}
		credentials, err := s.Box.Reseal(row.Credentials, channel.CredentialsContext(row.WorkspaceID, row.ID))
		if err != nil {
			done.Lost++
			continue
		}
		params := db.ChannelSecretReplaceParams{WorkspaceID: row.WorkspaceID, ID: row.ID, Credentials: credentials}
		if err := db.New().ChannelSecretReplace(ctx, tx, params); err != nil {
			return last, 0, done, fmt.Errorf("replace credentials: %w", err)
		}
		done.Resealed++
	}
	return last, len(rows), done, nil
}

func (s *Store) rotateModelProviders(ctx context.Context, tx postgres.Tx, after position) (last position, n int, done Count, err error) {
	rows, err := db.New().SystemModelProviderSecretList(ctx, tx, db.SystemModelProviderSecretListParams{
		AfterWorkspaceID: after.workspaceID, AfterProvider: after.name, RowLimit: batchSize,
	})
	if err != nil {
		return last, 0, done, fmt.Errorf("list keys of model providers: %w", err)
	}
	for _, row := range rows {
		last = position{workspaceID: row.WorkspaceID, name: string(row.Provider)}
		key, err := s.Box.Reseal(row.APIKey, modelprovider.KeyContext(row.WorkspaceID, row.Provider))
		if err != nil {
			done.Lost++
			continue
		}
		params := db.ModelProviderSecretReplaceParams{WorkspaceID: row.WorkspaceID, Provider: row.Provider, APIKey: key}
		if err := db.New().ModelProviderSecretReplace(ctx, tx, params); err != nil {
			return last, 0, done, fmt.Errorf("replace key of model provider: %w", err)
		}
		done.Resealed++
	}
	return last, len(rows), done, nil
}

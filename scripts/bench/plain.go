//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	plainClaim = 100
	plainLoops = 3
	plainIdle  = 50 * time.Millisecond
)

// plainCommand is the first reference. It claims 100 rows with SKIP LOCKED, posts them and
// acknowledges them together. It does not sign, records no attempts and looks up no
// endpoints, and one endpoint that hangs blocks all others.
type plainCommand struct{}

// Run implements the command.
func (*plainCommand) Run(ctx context.Context) error {
	pool, err := openPool(ctx)
	if err != nil {
		return err
	}
	var loops sync.WaitGroup
	for range plainLoops {
		loops.Go(func() {
			for ctx.Err() == nil {
				if n, err := plainBatch(ctx, pool); err != nil || n == 0 {
					time.Sleep(plainIdle)
				}
			}
		})
	}
	err = serveReference(ctx, http.NewServeMux())
	loops.Wait()
	return err
}

type queued struct {
	ID    int64
	URL   string
	Event uuid.UUID
	Body  string
}

func plainBatch(ctx context.Context, pool *pgxpool.Pool) (n int, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, "SELECT id, url, event, body FROM bench_queue ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED", plainClaim)
		if err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[queued])
		if err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		n = len(rows)
		var posts sync.WaitGroup
		done := make([]int64, len(rows))
		for i, row := range rows {
			posts.Go(func() {
				if post(ctx, row.URL, row.Event, row.Body) == nil {
					done[i] = row.ID
				}
			})
		}
		posts.Wait()
		if _, err := tx.Exec(ctx, "DELETE FROM bench_queue WHERE id = ANY($1)", done); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		return nil
	})
	return n, err
}

// client keeps enough idle connections for both references.
var client = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}

func post(ctx context.Context, url string, event uuid.UUID, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", event.String())
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected status %d", response.StatusCode)
	}
	return nil
}

func loadPlain(ctx context.Context, g *ground, s *sink, n int) error {
	_, err := g.on.Exec(ctx, `
		INSERT INTO bench_queue (url, event, body)
		SELECT $1 || i % $2::int, gen_random_uuid(), $3 FROM generate_series(1, $4::int) AS i`, s.base(), endpoints, payload, n)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

var discard = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))

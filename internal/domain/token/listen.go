package token

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	announcements = "token_changed" // sent by a trigger on api_tokens
	reconnectWait = 500 * time.Millisecond
)

// Listen hears the database announce changed tokens and forgets them, until ctx
// ends. While the connection is down the cache stays empty and unused.
func (a *Authenticator) Listen(ctx context.Context, log *slog.Logger) {
	for ctx.Err() == nil {
		err := a.listenOnce(ctx)
		a.setListening(false)
		if ctx.Err() != nil {
			return
		}
		log.WarnContext(ctx, "token cache off: not listening for revocations", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(reconnectWait):
		}
	}
}

func (a *Authenticator) listenOnce(ctx context.Context) error {
	// A connection of its own: one from the pool would be lost to the requests.
	conn, err := pgx.ConnectConfig(ctx, a.db.Pool().Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+announcements); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.setListening(true)
	for {
		notice, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		var hash Hash
		if n, err := hex.Decode(hash[:], []byte(notice.Payload)); err != nil || n != len(hash) {
			a.setListening(true) // not one of ours: forget everything
			continue
		}
		a.forget(hash)
	}
}

package token

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	announcements = "token_changed" // sent by a trigger on api_tokens
	reconnectWait = 500 * time.Millisecond
	// heartbeat is how long the connection is silent before it is checked, and how long
	// the check may take: a revocation must hold within a second, also one announced on
	// a connection whose packets are lost.
	heartbeat = 400 * time.Millisecond
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
	conn, err := pgx.ConnectConfig(ctx, a.db.DirectConfig())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeat)
		defer cancel()
		_ = conn.Close(closing) // the connection may be gone
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+announcements); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.setListening(true)
	for {
		notice, err := wait(ctx, conn)
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

// wait returns the next notification. It fails if the connection no longer responds.
func wait(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for {
		notice, err := waitOnce(ctx, conn)
		if err == nil || ctx.Err() != nil || !pgconn.Timeout(err) {
			return notice, err
		}
		if err := ping(ctx, conn); err != nil {
			return nil, err
		}
	}
}

func waitOnce(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	return conn.WaitForNotification(ctx)
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	return conn.Ping(ctx)
}

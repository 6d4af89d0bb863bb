package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Channel is a channel of notifications, with what to do about them. The functions are
// called one at a time and must not wait. Nil ones are not called.
type Channel struct {
	Name   string
	Up     func() // listening began: notifications before it are lost
	Down   func() // listening ended
	Notice func(payload string)
}

const (
	// heartbeat is how long the connection of Listen is silent before it is checked, and
	// how long the check may take: a revocation of a token must hold within a second, also
	// one that is announced on a connection whose packets are lost.
	heartbeat     = 400 * time.Millisecond
	reconnectWait = 500 * time.Millisecond
	// openTimeout bounds connecting and the LISTEN statements.
	openTimeout = 5 * time.Second
)

// Listen hears the notifications of channels on one connection of its own, which it
// replaces if it breaks, until ctx ends.
func (d *DB) Listen(ctx context.Context, log *slog.Logger, channels ...Channel) {
	for ctx.Err() == nil {
		err := d.listen(ctx, channels)
		for _, channel := range channels {
			call(channel.Down)
		}
		if ctx.Err() != nil {
			return
		}
		log.WarnContext(ctx, "not listening for notifications; reconnecting", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(reconnectWait):
		}
	}
}

func call(fn func()) {
	if fn != nil {
		fn()
	}
}

func (d *DB) listen(ctx context.Context, channels []Channel) error {
	// A connection of its own: one from the pool would be lost to the requests.
	opening, opened := context.WithTimeout(ctx, openTimeout)
	defer opened()
	conn, err := pgx.ConnectConfig(opening, d.DirectConfig())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeat)
		defer cancel()
		_ = conn.Close(closing) // the connection may be gone
	}()
	notice := map[string]func(string){}
	for _, channel := range channels {
		if _, err := conn.Exec(opening, "LISTEN "+pgx.Identifier{channel.Name}.Sanitize()); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		notice[channel.Name] = channel.Notice
	}
	for _, channel := range channels {
		call(channel.Up)
	}
	for {
		next, err := wait(ctx, conn)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if hear := notice[next.Channel]; hear != nil {
			hear(next.Payload)
		}
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

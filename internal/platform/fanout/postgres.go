package fanout

import (
	"context"
	"fmt"

	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	channelName = "convo_live"
	// maxNotify is just below PostgreSQL's limit for a payload.
	maxNotify = 7900
	// maxHeard bounds the batches that wait to be delivered; more are dropped.
	maxHeard = 1000
)

// PostgreSQL carries hints by LISTEN and NOTIFY. It hears through its Channel, which the
// process listens to together with others.
type PostgreSQL struct {
	db    *postgres.DB
	heard chan []byte
}

// NewPostgreSQL returns a transport that sends through a database.
func NewPostgreSQL(db *postgres.DB) *PostgreSQL {
	return &PostgreSQL{db: db, heard: make(chan []byte, maxHeard)}
}

// Channel is where the process must listen for Receive.
func (p *PostgreSQL) Channel() postgres.Channel {
	return postgres.Channel{Name: channelName, Notice: func(payload string) {
		select {
		case p.heard <- []byte(payload):
		default: // a hint can be lost
		}
	}}
}

// Send implements Transport. NOTIFY takes a lock at commit, so it is a transaction of its
// own, never part of the change.
func (p *PostgreSQL) Send(ctx context.Context, batch []byte) error {
	if _, err := p.db.Exec(ctx, "SELECT pg_notify($1, $2)", channelName, string(batch)); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// Receive implements Transport.
func (p *PostgreSQL) Receive(ctx context.Context, deliver func(batch []byte)) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case batch := <-p.heard:
			deliver(batch)
		}
	}
}

// MaxBatch implements Transport.
func (*PostgreSQL) MaxBatch() int { return maxNotify }

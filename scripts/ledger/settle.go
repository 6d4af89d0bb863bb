//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/scripts/ledger/load"
)

// kept is what the system has in the end.
type kept struct {
	leads  []keptLead
	events []load.Event
	// audit are the IDs of requests that changed something.
	audit []string
	// pending counts deliveries that did not succeed.
	pending int
	// messages are all messages of channels, and queued counts those that were not sent.
	messages []keptMessage
	queued   int
}

type keptMessage struct{ Content, Role, DeliveryStatus string }

type keptLead struct{ ID, Name, Status string }

// settle waits until everything has followed from the last change, and reads it.
func (l *ledger) settle(ctx context.Context) (*kept, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime+2*settleTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, l.system.Database.URL())
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	defer conn.Close(ctx)
	k := &kept{}
	if k.queued, err = l.sent(ctx, conn); err != nil {
		return nil, err
	}
	if k.pending, err = l.quiet(ctx, conn); err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT id::text, coalesce(fields ->> 'name', ''), status FROM leads WHERE workspace_id = $1", l.ground.Workspace)
	if err != nil {
		return nil, fmt.Errorf("read the leads: %w", err)
	}
	if k.leads, err = pgx.CollectRows(rows, pgx.RowToStructByPos[keptLead]); err != nil {
		return nil, fmt.Errorf("read the leads: %w", err)
	}
	rows, err = conn.Query(ctx, "SELECT content, role, delivery_status FROM messages WHERE workspace_id = $1", l.ground.Workspace)
	if err != nil {
		return nil, fmt.Errorf("read the messages: %w", err)
	}
	if k.messages, err = pgx.CollectRows(rows, pgx.RowToStructByPos[keptMessage]); err != nil {
		return nil, fmt.Errorf("read the messages: %w", err)
	}
	rows, err = conn.Query(ctx, "SELECT request_id FROM audit_entries WHERE workspace_id = $1 AND action = ANY($2)", l.ground.Workspace,
		[]string{"createLead", "updateLeadStatus", "bulkUpdateConversations", "handOffConversation", "sendOperatorMessage"})
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	if k.audit, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	k.events, err = load.ReadFeed(ctx, l.client)
	return k, err
}

// sent waits until no message is queued and the visitors' streams have shown theirs. It
// returns how many messages are queued.
func (l *ledger) sent(ctx context.Context, conn *pgx.Conn) (queued int, err error) {
	const query = "SELECT count(*), (SELECT coalesce(array_agg(content), '{}') FROM messages WHERE content LIKE '%visitor-%') FROM outbound_messages"
	for deadline := time.Now().Add(sendTime); time.Now().Before(deadline); {
		var shown []string
		if err := conn.QueryRow(ctx, query).Scan(&queued, &shown); err != nil {
			return 0, fmt.Errorf("wait for messages: %w", err)
		}
		if queued == 0 && l.talk.Caught(shown) {
			return 0, nil
		}
		if err := pause(ctx, samplePause); err != nil {
			return 0, err
		}
	}
	return queued, nil
}

// quiet waits until all deliveries have succeeded and nothing is added for a time. It
// returns how many deliveries have not succeeded.
func (l *ledger) quiet(ctx context.Context, conn *pgx.Conn) (pending int, err error) {
	const query = `SELECT (SELECT count(*) FROM webhook_deliveries WHERE integration_id = $1 AND status <> 'SUCCEEDED'),
		(SELECT count(*) FROM events) + (SELECT count(*) FROM audit_entries) + (SELECT count(*) FROM webhook_deliveries WHERE integration_id = $1)`
	const stable = 3 * time.Second
	var size, last int
	since := time.Now()
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
		if err := conn.QueryRow(ctx, query, l.hook.ID).Scan(&pending, &size); err != nil {
			return 0, fmt.Errorf("wait for deliveries: %w", err)
		}
		if size != last || pending > 0 {
			last, since = size, time.Now()
		}
		if time.Since(since) > stable {
			return 0, nil
		}
		if err := pause(ctx, samplePause); err != nil {
			return 0, err
		}
	}
	return pending, nil
}

// Package event records what happened in a workspace, in the transaction of the change,
// and reads it back in order. Events are stored in an outbox, and numbered after the
// commit.
package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/openapi/timestamp"
)

// Kept is how long events and their deliveries are kept.
const Kept = 30 * 24 * time.Hour

// Recorder stores events.
type Recorder struct {
	IDs *id.Generator
	// Encode returns a payload as the JSON object that the API documents for its type.
	Encode func(Payload) ([]byte, error)
	// Bell wakes the workers after the commit; nil to leave events to their polls.
	Bell *wake.Bell
}

// Record stores events of the same moment, in their order, while tx holds the locks of the
// rows that it has changed: events of the same row are then numbered in the order of their
// commits.
func (r *Recorder) Record(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID, at time.Time, payloads ...Payload) error {
	if len(payloads) == 0 {
		return nil
	}
	params := db.EventRecordParams{WorkspaceID: workspaceID, OccurredAt: at}
	for _, payload := range payloads {
		data, err := r.Encode(payload)
		if err != nil {
			return err
		}
		eventID, _ := r.IDs.New()
		params.IDs = append(params.IDs, eventID)
		params.Types = append(params.Types, string(payload.EventType()))
		params.Payloads = append(params.Payloads, string(data))
	}
	if err := db.New().EventRecord(ctx, tx, params); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	r.Bell.Ring(tx, wake.Events)
	return nil
}

// RecordNumbered stores one event and returns it with its number. It creates no
// deliveries: the caller sends the event itself.
func (r *Recorder) RecordNumbered(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, payload Payload) (db.Event, error) {
	data, err := r.Encode(payload)
	if err != nil {
		return db.Event{}, err
	}
	eventID, now := r.IDs.New()
	row, err := db.New().EventRecordNumbered(ctx, on, db.EventRecordNumberedParams{
		WorkspaceID: workspaceID, ID: eventID, Type: payload.EventType(), Data: data, OccurredAt: now,
	})
	if err != nil {
		return db.Event{}, fmt.Errorf("record event: %w", err)
	}
	return row, nil
}

// AppendJSON appends an event as it is sent and listed: the schema Event. The same row
// always gives the same bytes.
func AppendJSON(b []byte, row db.Event) []byte {
	b = append(b, `{"id":`...)
	b = id.AppendJSON(b, &row.ID)
	b = append(b, `,"type":"`...)
	b = append(b, row.Type...) // an enum value
	b = append(b, `","timestamp":"`...)
	b = timestamp.New(row.OccurredAt).AppendFormat(b)
	b = fmt.Appendf(b, `","sequence":%d,"workspaceId":`, row.Sequence)
	b = id.AppendJSON(b, &row.WorkspaceID)
	b = append(b, `,"data":`...)
	b = append(b, row.Data...)
	return append(b, '}')
}

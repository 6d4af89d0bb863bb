// Package event records what happened in a workspace, in the transaction of the
// change, and reads it back in order. A database function numbers events and creates
// the deliveries to webhooks (db/migrations, record_events).
package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/openapi/timestamp"
)

// Kept is how long events and their deliveries are kept.
const Kept = 30 * 24 * time.Hour

// Recorder stores events.
type Recorder struct {
	IDs *id.Generator
	// Encode returns a payload as the JSON object that the API documents for its type.
	Encode func(Payload) ([]byte, error)
}

// Record stores events of the same moment, in their order. The workspace's events are
// locked until the transaction ends, so call it last.
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
	if _, err := db.New().EventRecord(ctx, tx, params); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	return nil
}

// RecordOne stores one event and returns it with its number.
func (r *Recorder) RecordOne(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, payload Payload) (db.Event, error) {
	data, err := r.Encode(payload)
	if err != nil {
		return db.Event{}, err
	}
	eventID, now := r.IDs.New()
	kind := payload.EventType()
	sequence, err := db.New().EventRecord(ctx, on, db.EventRecordParams{
		WorkspaceID: workspaceID, IDs: []uuid.UUID{eventID}, Types: []string{string(kind)}, Payloads: []string{string(data)}, OccurredAt: now,
	})
	if err != nil {
		return db.Event{}, fmt.Errorf("record event: %w", err)
	}
	return db.Event{WorkspaceID: workspaceID, Sequence: sequence, ID: eventID, Type: kind, Data: data, OccurredAt: now}, nil
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

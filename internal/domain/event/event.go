// Package event records what happened in a workspace, in the transaction of the
// change, and reads it back in order. A database function numbers events and makes
// the deliveries to webhooks (db/migrations, record_events).
package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/openapi/timestamp"
)

// Kept is how long events and their deliveries are kept.
const Kept = 30 * 24 * time.Hour

// Event is something that happened. Data is the JSON object that the document
// describes for its type.
type Event struct {
	Type api.EventType
	Data []byte
}

// Record stores events of one moment, in their order. The workspace's events are
// locked from here to the end of the transaction: it belongs at its end.
func Record(ctx context.Context, on db.DBTX, ids *id.Generator, workspaceID uuid.UUID, at time.Time, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	params := db.EventRecordParams{WorkspaceID: workspaceID, OccurredAt: at}
	for _, one := range events {
		eventID, _ := ids.New()
		params.IDs = append(params.IDs, eventID)
		params.Types = append(params.Types, string(one.Type))
		params.Payloads = append(params.Payloads, string(one.Data))
	}
	if _, err := db.New().EventRecord(ctx, on, params); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	return nil
}

// RecordOne stores one event and returns it with its number.
func RecordOne(ctx context.Context, on db.DBTX, ids *id.Generator, workspaceID uuid.UUID, one Event) (db.Event, error) {
	eventID, now := ids.New()
	sequence, err := db.New().EventRecord(ctx, on, db.EventRecordParams{
		WorkspaceID: workspaceID, IDs: []uuid.UUID{eventID}, Types: []string{string(one.Type)}, Payloads: []string{string(one.Data)}, OccurredAt: now,
	})
	if err != nil {
		return db.Event{}, fmt.Errorf("record event: %w", err)
	}
	return db.Event{WorkspaceID: workspaceID, Sequence: sequence, ID: eventID, Type: one.Type, Data: one.Data, OccurredAt: now}, nil
}

// AppendJSON appends an event as it is sent and listed: the schema Event. The same
// row always gives the same bytes.
func AppendJSON(b []byte, row db.Event) []byte {
	b = append(b, `{"id":`...)
	b = representation.AppendUUID(b, &row.ID)
	b = append(b, `,"type":"`...)
	b = append(b, row.Type...) // one of the document's words
	b = append(b, `","timestamp":"`...)
	b = timestamp.New(row.OccurredAt).AppendFormat(b)
	b = fmt.Appendf(b, `","sequence":%d,"workspaceId":`, row.Sequence)
	b = representation.AppendUUID(b, &row.WorkspaceID)
	b = append(b, `,"data":`...)
	b = append(b, row.Data...)
	return append(b, '}')
}

package widget

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// firstMessages are sent to a stream that begins without a position.
	firstMessages = 100
	// pageMessages is how many changed messages are read at a time.
	pageMessages = 100
)

// Event is one event of a stream. Without an ID, a client that is interrupted after it
// resumes before it.
type Event struct {
	Name, ID string
	Data     any
}

// Position is how far a stream has come: through a revision of a conversation. The zero
// value is before everything.
type Position struct {
	Conversation uuid.UUID
	Revision     int64
}

// String returns the position as the ID of an event.
func (p Position) String() string {
	return p.Conversation.String() + ":" + strconv.FormatInt(p.Revision, 10)
}

// ParsePosition reads the ID of an event. What is no such ID is the zero value.
func ParsePosition(text string) Position {
	first, second, _ := strings.Cut(text, ":")
	conversationID, err := uuid.Parse(first)
	revision, numberErr := strconv.ParseInt(second, 10, 64)
	if err != nil || numberErr != nil || revision < 0 {
		return Position{}
	}
	return Position{conversationID, revision}
}

// feed reads what a visitor's stream has not sent yet. Revisions of a conversation follow
// the order of commits, so nothing that is committed later has a revision that was read.
type feed struct {
	service *Service
	visitor Visitor
	at      Position
	// afterID is the last message that was sent of the next revision, if a page has ended
	// within it.
	afterID uuid.UUID
	sent    *api.WidgetConversation
}

// resume checks where the client says that it was. A conversation of another visitor is
// ignored, and so is a revision that does not exist, as after a failover of the database that
// has lost commits: the stream would wait for it.
func (f *feed) resume(ctx context.Context, at Position) error {
	if at.Conversation == uuid.Nil {
		return nil
	}
	row, err := f.get(ctx, at.Conversation)
	if postgres.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find conversation to resume: %w", err)
	}
	if at.Revision <= row.Revision {
		f.at, f.afterID = at, id.Max
	}
	return nil
}

func (f *feed) get(ctx context.Context, conversationID uuid.UUID) (db.WidgetConversationRow, error) {
	v := f.visitor
	row, err := db.New().WidgetConversationGet(ctx, f.service.DB, db.WidgetConversationGetParams{
		WorkspaceID: v.WorkspaceID, ID: conversationID, ChannelID: v.ChannelID, ExternalID: v.ExternalID,
	})
	return db.WidgetConversationRow(row), err
}

// next returns events that were not returned before; more says that there may be others.
// Before it reads a conversation for the first time, it calls follow, so that later
// changes wake the stream.
func (f *feed) next(ctx context.Context, follow func(conversationID uuid.UUID)) (events []Event, more bool, err error) {
	current, err := f.service.current(ctx, f.visitor)
	if postgres.IsNotFound(err) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("find conversation of visitor: %w", err)
	}
	if f.at.Conversation != current.ID && f.at.Conversation != uuid.Nil {
		// What happened in the previous conversation comes first.
		previous, err := f.get(ctx, f.at.Conversation)
		if err == nil && previous.Revision > f.at.Revision {
			events, _, err := f.changes(ctx, previous)
			return events, true, err
		} else if err != nil && !postgres.IsNotFound(err) {
			return nil, false, fmt.Errorf("get previous conversation: %w", err)
		}
		f.at, f.sent = Position{}, nil
	}
	if f.at.Conversation == uuid.Nil {
		follow(current.ID)
		// Read again: it may have changed before the stream followed it.
		if current, err = f.get(ctx, current.ID); err != nil {
			return nil, false, fmt.Errorf("get conversation: %w", err)
		}
		events, err := f.begin(ctx, current)
		return events, true, err
	}
	follow(current.ID)
	if current.Revision <= f.at.Revision {
		return nil, false, nil
	}
	return f.changes(ctx, current)
}

// begin returns a conversation with its latest messages, oldest first. Only the last event
// has an ID: a client that is interrupted begins again.
func (f *feed) begin(ctx context.Context, of db.WidgetConversationRow) ([]Event, error) {
	messages, err := f.service.newest(ctx, f.visitor.WorkspaceID, of, id.Max, firstMessages)
	if err != nil {
		return nil, err
	}
	events := []Event{f.conversation(of)}
	for _, message := range slices.Backward(messages) {
		events = append(events, Event{Name: "message", Data: message})
	}
	f.at, f.afterID = Position{of.ID, of.Revision}, id.Max
	events[len(events)-1].ID = f.at.String()
	return events, nil
}

func (f *feed) conversation(of db.WidgetConversationRow) Event {
	seen := shown(of)
	f.sent = &seen
	return Event{Name: "conversation", Data: seen}
}

// changes returns a page of what has changed. The last event of a revision has its ID.
func (f *feed) changes(ctx context.Context, of db.WidgetConversationRow) (events []Event, more bool, err error) {
	rows, err := db.New().WidgetMessageListChanged(ctx, f.service.DB, db.WidgetMessageListChangedParams{
		WorkspaceID: f.visitor.WorkspaceID, ConversationID: of.ID, AfterRevision: f.at.Revision, AfterID: f.afterID, ThroughRevision: of.Revision, RowLimit: pageMessages,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list changed messages: %w", err)
	}
	messages, err := f.service.showAll(ctx, f.visitor.WorkspaceID, rows)
	if err != nil {
		return nil, false, err
	}
	if now := shown(of); f.sent == nil || !same(*f.sent, now) {
		events = append(events, f.conversation(of))
	}
	for i, message := range messages {
		event := Event{Name: "message", Data: message}
		if revision := rows[i].Message.Revision; i+1 < len(rows) && rows[i+1].Message.Revision > revision {
			event.ID = Position{of.ID, revision}.String()
		}
		events = append(events, event)
	}
	if len(rows) == pageMessages {
		last := rows[len(rows)-1].Message
		f.at, f.afterID = Position{of.ID, last.Revision}, last.ID
		return events, true, nil
	}
	f.at, f.afterID = Position{of.ID, of.Revision}, id.Max
	if len(events) > 0 {
		events[len(events)-1].ID = f.at.String()
	}
	return events, false, nil
}

// same reports whether a visitor sees no difference.
func same(a, b api.WidgetConversation) bool {
	if a.ID != b.ID || a.Status != b.Status || (a.Operator == nil) != (b.Operator == nil) {
		return false
	}
	return a.Operator == nil || *a.Operator == *b.Operator
}

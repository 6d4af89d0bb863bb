package conversation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Bulk is one action on many conversations. OperatorID goes with assign, nil to
// unassign; TagIDs with tag and untag.
type Bulk struct {
	IDs        []uuid.UUID
	Action     api.BulkAction
	OperatorID *uuid.UUID
	TagIDs     []uuid.UUID
}

// BulkResult counts the conversations that changed, and those that did not.
type BulkResult struct{ Updated, Skipped int }

// Apply carries out a bulk action in one transaction. It fails with
// *UnknownOperatorError or *UnknownTagsError, and then changes nothing.
func (s *Service) Apply(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, bulk Bulk) (result BulkResult, err error) {
	bulk.IDs, bulk.TagIDs = distinct(bulk.IDs), distinct(bulk.TagIDs)
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		rows, err := db.New().ConversationLockMany(ctx, tx, db.ConversationLockManyParams{WorkspaceID: workspaceID, IDs: bulk.IDs})
		if err != nil {
			return fmt.Errorf("lock conversations: %w", err)
		}
		action := action{tx: tx, workspaceID: workspaceID, bulk: bulk, now: s.Clock.Now(), rows: rows}
		changes, err := action.run(ctx)
		if err != nil {
			return err
		}
		result = BulkResult{Updated: len(changes), Skipped: len(bulk.IDs) - len(changes)}
		events, err := action.events(ctx, changes)
		if err != nil {
			return err
		}
		return s.Events.Record(ctx, tx, workspaceID, action.now, events...)
	})
	return result, err
}

// action is a bulk action in progress, on rows that it has locked.
type action struct {
	tx          postgres.Tx
	workspaceID uuid.UUID
	bulk        Bulk
	now         time.Time
	rows        []db.Conversation
}

// describe creates the event of one changed conversation.
type describe func(row db.Conversation, contact db.Contact) event.Payload

// changes holds the changed conversations, each with a function that creates its event.
type changes map[uuid.UUID]describe

func (a action) run(ctx context.Context) (changes, error) {
	switch a.bulk.Action {
	case api.BulkActionClose:
		return a.move(ctx, api.ConversationStatusCLOSED, api.EventTypeConversationClosed, func(c db.Conversation) bool {
			return c.Status != api.ConversationStatusCLOSED
		})
	case api.BulkActionReopen:
		return a.move(ctx, api.ConversationStatusOPEN, api.EventTypeConversationReopened, func(c db.Conversation) bool {
			return c.Status == api.ConversationStatusCLOSED
		})
	case api.BulkActionAssign:
		return a.assign(ctx)
	case api.BulkActionTag, api.BulkActionUntag:
		return a.tag(ctx)
	}
	return nil, fmt.Errorf("bulk action %q is not known", a.bulk.Action)
}

// events describes the changes, of conversations as they are after them.
func (a action) events(ctx context.Context, changed changes) ([]event.Payload, error) {
	if len(changed) == 0 {
		return nil, nil
	}
	rows, err := db.New().ConversationListByIDs(ctx, a.tx, db.ConversationListByIDsParams{
		WorkspaceID: a.workspaceID, IDs: slices.Collect(maps.Keys(changed)),
	})
	if err != nil {
		return nil, fmt.Errorf("read changed conversations: %w", err)
	}
	events := make([]event.Payload, len(rows))
	for i, row := range rows {
		events[i] = changed[row.Conversation.ID](row.Conversation, row.Contact)
	}
	return events, nil
}

// move changes the status of the rows that allow it, and records each change.
func (a action) move(ctx context.Context, to api.ConversationStatus, kind api.EventType, can func(db.Conversation) bool) (changes, error) {
	var ids []uuid.UUID
	var from []string
	changed := changes{}
	for _, row := range a.rows {
		if can(row) {
			ids, from = append(ids, row.ID), append(from, string(row.Status))
			changed[row.ID] = func(row db.Conversation, contact db.Contact) event.Payload {
				return event.ConversationChanged{Type: kind, Conversation: row, Contact: contact}
			}
		}
	}
	if len(ids) == 0 {
		return changed, nil
	}
	if err := count(ctx, a.tx, a.workspaceID, ids, -1); err != nil {
		return nil, err
	}
	q := db.New()
	err := q.ConversationSetStatusMany(ctx, a.tx, db.ConversationSetStatusManyParams{
		WorkspaceID: a.workspaceID, IDs: ids, Status: to, UpdatedAt: a.now,
	})
	if err != nil {
		return nil, fmt.Errorf("set status: %w", err)
	}
	err = q.ConversationStatusChangeRecordMany(ctx, a.tx, db.ConversationStatusChangeRecordManyParams{
		WorkspaceID: a.workspaceID, ConversationIDs: ids, FromStatuses: from, ToStatus: to, ChangedAt: a.now,
	})
	if err != nil {
		return nil, fmt.Errorf("record status change: %w", err)
	}
	return changed, count(ctx, a.tx, a.workspaceID, ids, 1)
}

// count adds n times the facts of conversations to analytics. A change of conversations
// subtracts their facts before and adds them after.
func count(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID, ids []uuid.UUID, n int64) error {
	err := db.New().AnalyticsCountConversations(ctx, tx, db.AnalyticsCountConversationsParams{WorkspaceID: workspaceID, ConversationIDs: ids, N: n})
	if err != nil {
		return fmt.Errorf("count conversations: %w", err)
	}
	return nil
}

func (a action) assign(ctx context.Context) (changes, error) {
	q, operator := db.New(), a.bulk.OperatorID
	if operator != nil {
		exists, err := q.OperatorExists(ctx, a.tx, db.OperatorExistsParams{WorkspaceID: a.workspaceID, ID: *operator})
		if err != nil {
			return nil, fmt.Errorf("look up operator: %w", err)
		}
		if !exists {
			return nil, &UnknownOperatorError{ID: *operator}
		}
	}
	changed := changes{}
	for _, row := range a.rows {
		previous := row.AssignedOperatorID
		if same := previous == operator || previous != nil && operator != nil && *previous == *operator; same {
			continue
		}
		changed[row.ID] = func(row db.Conversation, contact db.Contact) event.Payload {
			return event.ConversationAssigned{Conversation: row, Contact: contact, Previous: previous}
		}
	}
	err := q.ConversationAssignMany(ctx, a.tx, db.ConversationAssignManyParams{
		WorkspaceID: a.workspaceID, IDs: slices.Collect(maps.Keys(changed)), OperatorID: operator, UpdatedAt: a.now,
	})
	if err != nil {
		return nil, fmt.Errorf("assign: %w", err)
	}
	return changed, nil
}

func (a action) tag(ctx context.Context) (changes, error) {
	q, ids := db.New(), make([]uuid.UUID, len(a.rows))
	for i, row := range a.rows {
		ids[i] = row.ID
	}
	known, err := q.TagListByIDs(ctx, a.tx, db.TagListByIDsParams{WorkspaceID: a.workspaceID, IDs: a.bulk.TagIDs})
	if err != nil {
		return nil, fmt.Errorf("look up tags: %w", err)
	}
	if len(known) != len(a.bulk.TagIDs) {
		return nil, unknownTags(a.bulk.TagIDs, known)
	}
	pairs := map[uuid.UUID]map[uuid.UUID]bool{} // conversation, tag
	note := func(conversationID, tagID uuid.UUID) {
		if pairs[conversationID] == nil {
			pairs[conversationID] = map[uuid.UUID]bool{}
		}
		pairs[conversationID][tagID] = true
	}
	adds := a.bulk.Action == api.BulkActionTag
	if adds {
		rows, err := q.ConversationTagMany(ctx, a.tx, db.ConversationTagManyParams{WorkspaceID: a.workspaceID, ConversationIDs: ids, TagIDs: a.bulk.TagIDs})
		if err != nil {
			return nil, fmt.Errorf("tag: %w", err)
		}
		for _, row := range rows {
			note(row.ConversationID, row.TagID)
		}
	} else {
		rows, err := q.ConversationUntagMany(ctx, a.tx, db.ConversationUntagManyParams{WorkspaceID: a.workspaceID, ConversationIDs: ids, TagIDs: a.bulk.TagIDs})
		if err != nil {
			return nil, fmt.Errorf("untag: %w", err)
		}
		for _, row := range rows {
			note(row.ConversationID, row.TagID)
		}
	}
	return retagged(pairs, known, adds), a.touch(ctx, slices.Collect(maps.Keys(pairs)))
}

// retagged describes which tags each conversation gained or lost.
func retagged(pairs map[uuid.UUID]map[uuid.UUID]bool, known []db.Tag, adds bool) changes {
	changed := changes{}
	for conversationID, tagIDs := range pairs {
		changed[conversationID] = func(row db.Conversation, contact db.Contact) event.Payload {
			moved := slices.DeleteFunc(slices.Clone(known), func(tag db.Tag) bool { return !tagIDs[tag.ID] })
			if adds {
				return event.ConversationTagsChanged{Conversation: row, Contact: contact, Added: moved}
			}
			return event.ConversationTagsChanged{Conversation: row, Contact: contact, Removed: moved}
		}
	}
	return changed
}

func (a action) touch(ctx context.Context, ids []uuid.UUID) error {
	err := db.New().ConversationTouchMany(ctx, a.tx, db.ConversationTouchManyParams{WorkspaceID: a.workspaceID, IDs: ids, UpdatedAt: a.now})
	if err != nil {
		return fmt.Errorf("mark as changed: %w", err)
	}
	return nil
}

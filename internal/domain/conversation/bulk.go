package conversation

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
		action := action{Service: s, tx: tx, workspaceID: workspaceID, bulk: bulk, rows: rows}
		changed, err := action.run(ctx)
		if err != nil {
			return err
		}
		result = BulkResult{Updated: len(changed), Skipped: len(bulk.IDs) - len(changed)}
		events, err := changed.events(ctx, tx, workspaceID)
		if err != nil {
			return err
		}
		return s.Events.Record(ctx, tx, workspaceID, s.Clock.Now(), events...)
	})
	return result, err
}

// action is a bulk action in progress, on rows that it has locked.
type action struct {
	*Service

	tx          postgres.Tx
	workspaceID uuid.UUID
	bulk        Bulk
	rows        []db.Conversation
}

func (a action) run(ctx context.Context) (changes, error) {
	switch a.bulk.Action {
	case api.BulkActionClose:
		return a.move(ctx, a.tx, a.rows, closing)
	case api.BulkActionReopen:
		return a.move(ctx, a.tx, a.rows, reopening)
	case api.BulkActionAssign:
		return a.assign(ctx, a.tx, a.workspaceID, a.rows, a.bulk.OperatorID)
	case api.BulkActionTag, api.BulkActionUntag:
		return a.tag(ctx)
	}
	return nil, fmt.Errorf("bulk action %q is not known", a.bulk.Action)
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
	err := db.New().ConversationTouchMany(ctx, a.tx, db.ConversationTouchManyParams{WorkspaceID: a.workspaceID, IDs: ids, UpdatedAt: a.Clock.Now()})
	if err != nil {
		return fmt.Errorf("mark as changed: %w", err)
	}
	a.Changed(a.tx, ids...)
	return nil
}

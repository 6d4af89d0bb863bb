package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/apierr"
	"github.com/avelto/convo/internal/postgres"
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
// unknown_operator or unknown_tag, when nothing is changed.
func (s *Service) Apply(ctx context.Context, workspaceID uuid.UUID, bulk Bulk) (result BulkResult, err error) {
	bulk.IDs, bulk.TagIDs = distinct(bulk.IDs), distinct(bulk.TagIDs)
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := db.New().ConversationLockMany(ctx, tx, db.ConversationLockManyParams{WorkspaceID: workspaceID, IDs: bulk.IDs})
		if err != nil {
			return fmt.Errorf("lock conversations: %w", err)
		}
		action := action{tx: tx, workspaceID: workspaceID, bulk: bulk, now: s.Clock.Now(), rows: rows}
		changed, err := action.run(ctx)
		result = BulkResult{Updated: changed, Skipped: len(bulk.IDs) - changed}
		return err
	})
	return result, err
}

// action is a bulk action under way, on rows that it holds.
type action struct {
	tx          pgx.Tx
	workspaceID uuid.UUID
	bulk        Bulk
	now         time.Time
	rows        []db.Conversation
}

func (a action) run(ctx context.Context) (changed int, err error) {
	switch a.bulk.Action {
	case api.BulkActionClose:
		return a.move(ctx, api.ConversationStatusCLOSED, func(c db.Conversation) bool {
			return c.Status != string(api.ConversationStatusCLOSED)
		})
	case api.BulkActionReopen:
		return a.move(ctx, api.ConversationStatusOPEN, func(c db.Conversation) bool {
			return c.Status == string(api.ConversationStatusCLOSED)
		})
	case api.BulkActionAssign:
		return a.assign(ctx)
	case api.BulkActionTag, api.BulkActionUntag:
		return a.tag(ctx)
	}
	return 0, fmt.Errorf("bulk action %q is not known", a.bulk.Action)
}

// move brings the rows that can to a status, and records each move.
func (a action) move(ctx context.Context, to api.ConversationStatus, can func(db.Conversation) bool) (int, error) {
	var ids []uuid.UUID
	var from []string
	for _, row := range a.rows {
		if can(row) {
			ids, from = append(ids, row.ID), append(from, row.Status)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	q := db.New()
	err := q.ConversationSetStatusMany(ctx, a.tx, db.ConversationSetStatusManyParams{
		WorkspaceID: a.workspaceID, IDs: ids, Status: string(to), UpdatedAt: a.now,
	})
	if err != nil {
		return 0, fmt.Errorf("set status: %w", err)
	}
	err = q.ConversationStatusChangeRecordMany(ctx, a.tx, db.ConversationStatusChangeRecordManyParams{
		WorkspaceID: a.workspaceID, ConversationIDs: ids, FromStatuses: from, ToStatus: string(to), ChangedAt: a.now,
	})
	if err != nil {
		return 0, fmt.Errorf("record status change: %w", err)
	}
	return len(ids), nil
}

func (a action) assign(ctx context.Context) (int, error) {
	q, operator := db.New(), a.bulk.OperatorID
	if operator != nil {
		exists, err := q.OperatorExists(ctx, a.tx, db.OperatorExistsParams{WorkspaceID: a.workspaceID, ID: *operator})
		if err != nil {
			return 0, fmt.Errorf("look up operator: %w", err)
		}
		if !exists {
			return 0, apierr.New(api.ErrorCodeUnknownOperator, "operatorId names no operator of this workspace.")
		}
	}
	var ids []uuid.UUID
	for _, row := range a.rows {
		if same := row.AssignedOperatorID == operator ||
			row.AssignedOperatorID != nil && operator != nil && *row.AssignedOperatorID == *operator; !same {
			ids = append(ids, row.ID)
		}
	}
	err := q.ConversationAssignMany(ctx, a.tx, db.ConversationAssignManyParams{
		WorkspaceID: a.workspaceID, IDs: ids, OperatorID: operator, UpdatedAt: a.now,
	})
	if err != nil {
		return 0, fmt.Errorf("assign: %w", err)
	}
	return len(ids), nil
}

func (a action) tag(ctx context.Context) (int, error) {
	q, ids := db.New(), make([]uuid.UUID, len(a.rows))
	for i, row := range a.rows {
		ids[i] = row.ID
	}
	known, err := q.TagCount(ctx, a.tx, db.TagCountParams{WorkspaceID: a.workspaceID, IDs: a.bulk.TagIDs})
	if err != nil {
		return 0, fmt.Errorf("look up tags: %w", err)
	}
	if int(known) != len(a.bulk.TagIDs) {
		return 0, apierr.New(api.ErrorCodeUnknownTag, "tagIds names a tag that this workspace does not have.")
	}
	changed := map[uuid.UUID]bool{}
	if a.bulk.Action == api.BulkActionTag {
		pairs, err := q.ConversationTagMany(ctx, a.tx, db.ConversationTagManyParams{WorkspaceID: a.workspaceID, ConversationIDs: ids, TagIDs: a.bulk.TagIDs})
		if err != nil {
			return 0, fmt.Errorf("tag: %w", err)
		}
		for _, pair := range pairs {
			changed[pair.ConversationID] = true
		}
	} else {
		pairs, err := q.ConversationUntagMany(ctx, a.tx, db.ConversationUntagManyParams{WorkspaceID: a.workspaceID, ConversationIDs: ids, TagIDs: a.bulk.TagIDs})
		if err != nil {
			return 0, fmt.Errorf("untag: %w", err)
		}
		for _, pair := range pairs {
			changed[pair.ConversationID] = true
		}
	}
	return len(changed), a.touch(ctx, changed)
}

func (a action) touch(ctx context.Context, changed map[uuid.UUID]bool) error {
	ids := make([]uuid.UUID, 0, len(changed))
	for conversationID := range changed {
		ids = append(ids, conversationID)
	}
	err := db.New().ConversationTouchMany(ctx, a.tx, db.ConversationTouchManyParams{WorkspaceID: a.workspaceID, IDs: ids, UpdatedAt: a.now})
	if err != nil {
		return fmt.Errorf("mark as changed: %w", err)
	}
	return nil
}

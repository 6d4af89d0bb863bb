package retention

import (
	"context"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/idempotency"
)

// kind is a kind of row with a retention.
type kind struct {
	name string
	// delete deletes up to batchRows rows and returns how many.
	delete func(ctx context.Context) (int64, error)
}

// kinds returns all kinds, in the order in which they are deleted.
func (w *Worker) kinds() []kind {
	q, on, now := db.New(), w.DB, w.Clock.Now()
	return []kind{
		{"idempotency keys", func(ctx context.Context) (int64, error) {
			return (&idempotency.Store{DB: on, Clock: w.Clock}).DeleteExpired(ctx, batchRows)
		}},
		{"events", func(ctx context.Context) (int64, error) {
			return q.SystemEventDeleteOld(ctx, on, db.SystemEventDeleteOldParams{Before: now.Add(-event.Kept), MaxRows: batchRows})
		}},
		{"webhook deliveries", func(ctx context.Context) (int64, error) {
			return q.SystemWebhookDeliveryDeleteOld(ctx, on, db.SystemWebhookDeliveryDeleteOldParams{Before: now.Add(-event.Kept), MaxRows: batchRows})
		}},
		{"audit entries", func(ctx context.Context) (int64, error) {
			return q.SystemAuditEntryDeleteOld(ctx, on, db.SystemAuditEntryDeleteOldParams{Before: now.Add(-audit.Kept), MaxRows: batchRows})
		}},
		{"runs of agents", func(ctx context.Context) (int64, error) {
			return q.SystemAgentRunDeleteOld(ctx, on, db.SystemAgentRunDeleteOldParams{Before: now.Add(-agent.RunsKept), MaxRows: batchRows})
		}},
		{"evaluations of agents", func(ctx context.Context) (int64, error) {
			return q.SystemAgentEvaluationDeleteOld(ctx, on, db.SystemAgentEvaluationDeleteOldParams{Before: now.Add(-evaluator.KeptFor), MaxRows: batchRows})
		}},
		{"calls of models", func(ctx context.Context) (int64, error) {
			return q.SystemModelCallDeleteOld(ctx, on, db.SystemModelCallDeleteOldParams{Before: now.Add(-spending.Kept), MaxRows: batchRows})
		}},
		{"sessions", func(ctx context.Context) (int64, error) {
			return q.SystemSessionDeleteExpired(ctx, on, db.SystemSessionDeleteExpiredParams{Now: now, MaxRows: batchRows})
		}},
		// Before the webhooks themselves, whose deletion would cascade to any number of them.
		{"deliveries of temporary webhooks", func(ctx context.Context) (int64, error) {
			return q.SystemWebhookDeliveryDeleteOfExpired(ctx, on, db.SystemWebhookDeliveryDeleteOfExpiredParams{Now: now, MaxRows: batchRows})
		}},
		{"temporary webhooks", func(ctx context.Context) (int64, error) {
			return q.SystemIntegrationDeleteExpired(ctx, on, db.SystemIntegrationDeleteExpiredParams{Now: now, MaxRows: batchRows})
		}},
		// What a deleted source has left, before the source itself.
		{"passages of deleted sources", func(ctx context.Context) (int64, error) {
			return q.SystemKnowledgeChunkDeleteOfDeleted(ctx, on, db.SystemKnowledgeChunkDeleteOfDeletedParams{MaxRows: batchRows})
		}},
		{"pages of deleted sources", func(ctx context.Context) (int64, error) {
			return q.SystemKnowledgeDocumentDeleteOfDeleted(ctx, on, db.SystemKnowledgeDocumentDeleteOfDeletedParams{MaxRows: batchRows})
		}},
		{"references to deleted sources", func(ctx context.Context) (int64, error) {
			return q.SystemKnowledgeJobDetachOfDeleted(ctx, on, db.SystemKnowledgeJobDetachOfDeletedParams{MaxRows: batchRows})
		}},
		{"deleted sources", func(ctx context.Context) (int64, error) {
			return q.SystemKnowledgeSourceDeleteDeleted(ctx, on, db.SystemKnowledgeSourceDeleteDeletedParams{MaxRows: batchRows})
		}},
	}
}

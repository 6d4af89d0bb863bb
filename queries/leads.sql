-- name: LeadListNewest :many
-- Leads before before_id, newest first; the first page uses the greatest UUID, or a score
-- above 100. Each combination of filter and sort is a query of its own, planned for its own
-- index.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: LeadListNewestByStatus :many
-- Leads of one stage before before_id, newest first.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND status = @status AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: LeadListByScore :many
-- Leads before (before_score, before_id), highest score first, unscored leads last.
SELECT * FROM leads
WHERE workspace_id = @workspace_id
  AND (coalesce(score, '-1'::smallint), id) < (@before_score::smallint, @before_id::uuid)
ORDER BY coalesce(score, '-1'::smallint) DESC, id DESC LIMIT @row_limit;

-- name: LeadListByScoreAndStatus :many
-- The same, only leads of one stage.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND status = @status
  AND (coalesce(score, '-1'::smallint), id) < (@before_score::smallint, @before_id::uuid)
ORDER BY coalesce(score, '-1'::smallint) DESC, id DESC LIMIT @row_limit;

-- name: LeadGet :one
-- One lead of the workspace.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND id = @id;

-- name: LeadOfConversation :one
-- The latest lead of a conversation.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id::uuid
ORDER BY id DESC LIMIT 1;

-- name: LeadLock :one
-- One lead, locked until the transaction ends.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: LeadCreate :one
-- Creates a lead in stage NEW, without a score or a conversation. The same statement records
-- its event, which counts it, with the audit entry of the request, to save round trips and
-- an explicit transaction.
WITH created AS (
    INSERT INTO leads (workspace_id, id, status, fields, source, created_at, updated_at)
    VALUES (@workspace_id, @id, 'NEW', @fields, sqlc.narg('source'), @created_at, @created_at)
    RETURNING *
), recorded AS (
    INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at, counts_as, action, actor_id, target, ip, user_agent, request_id)
    VALUES (@workspace_id, @event_id, 'lead.created', @event_data, @created_at, 'lead NEW',
        sqlc.narg('action'), sqlc.narg('actor_id'), sqlc.narg('target'), sqlc.narg('ip'), sqlc.narg('user_agent'), sqlc.narg('request_id'))
)
SELECT created.* FROM created;

-- name: LeadUpdate :one
-- Merges fields (null removes a property) and sets the score with its reason, and the CRM ID.
UPDATE leads SET
    fields = jsonb_strip_nulls(fields || @fields::jsonb),
    score = sqlc.narg('score'),
    score_reason = sqlc.narg('score_reason'),
    crm_external_id = sqlc.narg('crm_external_id'),
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: LeadSetStatus :one
-- Sets the stage of a lead.
UPDATE leads SET status = @status, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: LeadCountMove :exec
-- Counts the move of a lead from one stage to another.
SELECT count_lead(of_workspace_id => @workspace_id::uuid, of_conversation_id => sqlc.narg('conversation_id')::uuid, made_at => @created_at::timestamptz, stage => stages.stage, n => stages.n)
FROM (VALUES (@from_status::text, -1), (@to_status::text, 1)) AS stages (stage, n);

-- name: LeadDelete :execrows
-- Deletes a lead and subtracts it from analytics; 0 rows if there is none.
WITH deleted AS (
    DELETE FROM leads WHERE workspace_id = @workspace_id AND id = @id
    RETURNING workspace_id, conversation_id, created_at, status
)
SELECT count_lead(deleted.workspace_id, deleted.conversation_id, deleted.created_at, deleted.status, -1) FROM deleted;

-- name: LeadInsertMany :copyfrom
-- Creates leads in bulk.
INSERT INTO leads (workspace_id, id, status, fields, score, source, conversation_id, crm_external_id, created_at, updated_at)
VALUES (@workspace_id, @id, @status, @fields, @score, @source, @conversation_id, @crm_external_id, @created_at, @updated_at);

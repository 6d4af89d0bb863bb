-- name: LeadListNewest :many
-- Latest leads first, from below before_id; the first page asks from below the
-- greatest UUID, or a score over 100. There is one query for each filter and sort,
-- so that each has the plan of its own index.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: LeadListNewestByStatus :many
-- Latest leads of one stage first, from below before_id.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND status = @status AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: LeadListByScore :many
-- Highest score first, unscored leads last, from below (before_score, before_id).
SELECT * FROM leads
WHERE workspace_id = @workspace_id
  AND (coalesce(score, '-1'::smallint), id) < (@before_score::smallint, @before_id::uuid)
ORDER BY coalesce(score, '-1'::smallint) DESC, id DESC LIMIT @row_limit;

-- name: LeadListByScoreAndStatus :many
-- The same within one stage.
SELECT * FROM leads
WHERE workspace_id = @workspace_id AND status = @status
  AND (coalesce(score, '-1'::smallint), id) < (@before_score::smallint, @before_id::uuid)
ORDER BY coalesce(score, '-1'::smallint) DESC, id DESC LIMIT @row_limit;

-- name: LeadGet :one
-- One lead of the workspace.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND id = @id;

-- name: LeadLock :one
-- One lead, held until the transaction ends.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: LeadCreate :one
-- A lead created by request: stage NEW, no score, no conversation. Its event is
-- recorded by the same statement, which saves round trips and a transaction.
WITH created AS (
    INSERT INTO leads (workspace_id, id, status, fields, source, created_at, updated_at)
    VALUES (@workspace_id, @id, 'NEW', @fields, sqlc.narg('source'), @created_at, @created_at)
    RETURNING *
), recorded AS (
    SELECT record_events(@workspace_id, ARRAY[@event_id::uuid], ARRAY['lead.created'], ARRAY[@event_data::text], @created_at)
)
SELECT created.* FROM created CROSS JOIN recorded;

-- name: LeadUpdate :one
-- Merges fields (a null removes its member) and sets score and CRM id.
UPDATE leads SET
    fields = jsonb_strip_nulls(fields || @fields::jsonb),
    score = sqlc.narg('score'),
    crm_external_id = sqlc.narg('crm_external_id'),
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: LeadSetStatus :one
-- Moves a lead to a stage.
UPDATE leads SET status = @status, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: LeadDelete :execrows
-- Removes a lead; 0 rows where there is none.
DELETE FROM leads WHERE workspace_id = @workspace_id AND id = @id;

-- name: LeadInsertMany :copyfrom
-- Loads leads in bulk.
INSERT INTO leads (workspace_id, id, status, fields, score, source, conversation_id, crm_external_id, created_at, updated_at)
VALUES (@workspace_id, @id, @status, @fields, @score, @source, @conversation_id, @crm_external_id, @created_at, @updated_at);

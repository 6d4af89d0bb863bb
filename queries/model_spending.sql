-- name: ModelBudgetGet :one
-- The budget of the workspace.
SELECT * FROM model_budgets WHERE workspace_id = @workspace_id;

-- name: ModelBudgetSet :one
-- Stores the budget of the workspace, or replaces it.
INSERT INTO model_budgets (workspace_id, currency, monthly_micros, when_exceeded, updated_at)
VALUES (@workspace_id, @currency, sqlc.narg('monthly_micros'), @when_exceeded, @updated_at)
ON CONFLICT (workspace_id) DO UPDATE SET currency = excluded.currency, monthly_micros = excluded.monthly_micros,
    when_exceeded = excluded.when_exceeded, updated_at = excluded.updated_at
RETURNING *;

-- name: ModelPricesGet :one
-- The prices of the models of a provider.
SELECT prices FROM model_providers WHERE workspace_id = @workspace_id AND provider = @provider::text;

-- name: ModelSpendingGet :one
-- What the workspace has spent in a month, with what is reserved.
SELECT micros FROM model_spending WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND month = @month;

-- name: ModelSpendingReserve :execrows
-- Adds to what was spent in a month, unless it would exceed a limit: 0 rows then. Callers reserve
-- for the workspace before its agent, so that they lock rows in the same order.
INSERT INTO model_spending AS spending (workspace_id, agent_id, month, micros)
SELECT @workspace_id::uuid, @agent_id::uuid, @month::date, @micros::bigint
WHERE sqlc.narg('most')::bigint IS NULL OR @micros::bigint <= sqlc.narg('most')::bigint
ON CONFLICT (workspace_id, agent_id, month) DO UPDATE SET micros = spending.micros + excluded.micros
WHERE sqlc.narg('most')::bigint IS NULL OR spending.micros + excluded.micros <= sqlc.narg('most')::bigint;

-- name: ModelSpendingAdjust :exec
-- Corrects what was reserved in a month.
UPDATE model_spending SET micros = micros + @micros WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND month = @month;

-- name: ModelCallCreate :exec
-- A call that is about to be made, with its highest possible cost.
INSERT INTO model_calls (workspace_id, id, agent_id, run_id, evaluation_id, provider, model, cost_micros, created_at)
VALUES (@workspace_id, @id, @agent_id, sqlc.narg('run_id'), sqlc.narg('evaluation_id'), @provider, @model, sqlc.narg('cost_micros'), @created_at);

-- name: ModelCallSettle :execrows
-- Records how a call ended, once.
UPDATE model_calls SET
    input_tokens = @input_tokens, output_tokens = @output_tokens, cost_micros = sqlc.narg('cost_micros'),
    latency_ms = sqlc.narg('latency_ms'), outcome = @outcome::text
WHERE workspace_id = @workspace_id AND id = @id AND outcome IS NULL;

-- name: SystemModelCallListLost :many
-- Up to max_rows calls that began before a time and have not ended, oldest first.
SELECT workspace_id, id, agent_id, cost_micros, created_at FROM model_calls
WHERE outcome IS NULL AND created_at < @before::timestamptz
ORDER BY created_at LIMIT @max_rows;

-- name: SystemModelCallDeleteOld :execrows
-- Deletes up to max_rows calls that were made before a time.
DELETE FROM model_calls WHERE (workspace_id, id) IN (
    SELECT old.workspace_id, old.id FROM model_calls AS old WHERE old.created_at < @before::timestamptz LIMIT @max_rows
);

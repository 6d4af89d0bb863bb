-- name: AgentList :many
-- Agents before before_id, newest first.
SELECT * FROM agents
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: AgentGet :one
-- One agent of the workspace.
SELECT * FROM agents WHERE workspace_id = @workspace_id AND id = @id;

-- name: AgentCreate :one
-- An agent.
INSERT INTO agents (workspace_id, id, name, status, system_prompt, model_provider, model_name, temperature, max_tokens, monthly_budget_micros, created_at, updated_at)
VALUES (@workspace_id, @id, @name, @status, @system_prompt, @model_provider, @model_name, @temperature, @max_tokens, sqlc.narg('monthly_budget_micros'), @created_at, @created_at)
RETURNING *;

-- name: AgentUpdate :one
-- Sets the values that are not null and keeps the others.
UPDATE agents SET
    name = coalesce(sqlc.narg('name'), name),
    status = coalesce(sqlc.narg('status')::text, status),
    system_prompt = coalesce(sqlc.narg('system_prompt'), system_prompt),
    model_provider = coalesce(sqlc.narg('model_provider'), model_provider),
    model_name = coalesce(sqlc.narg('model_name'), model_name),
    temperature = coalesce(sqlc.narg('temperature'), temperature),
    max_tokens = coalesce(sqlc.narg('max_tokens'), max_tokens),
    monthly_budget_micros = CASE WHEN @set_monthly_budget::boolean THEN sqlc.narg('monthly_budget_micros')::bigint ELSE monthly_budget_micros END,
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

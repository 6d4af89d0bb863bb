-- name: AgentEvaluationCreate :one
-- An evaluation that waits for its turn.
INSERT INTO agent_evaluations (workspace_id, id, agent_id, agent_version, system_prompt, model_provider, model_name, temperature, max_tokens, name, created_at)
VALUES (@workspace_id, @id, @agent_id, sqlc.narg('agent_version'), @system_prompt, @model_provider, @model_name, @temperature, @max_tokens, @name, @created_at)
RETURNING *;

-- name: AgentEvaluationCasesAdd :exec
-- The cases of a new evaluation.
INSERT INTO agent_evaluation_cases (workspace_id, evaluation_id, position, definition)
SELECT @workspace_id, @evaluation_id, item.position, item.definition
FROM jsonb_array_elements(@cases::jsonb) WITH ORDINALITY AS item (definition, position);

-- name: AgentEvaluationCountOpen :one
-- How many evaluations of a workspace have not ended.
SELECT count(*) FROM agent_evaluations WHERE workspace_id = @workspace_id AND finished_at IS NULL;

-- name: AgentEvaluationDeleteExcess :exec
-- Deletes the oldest evaluations of a workspace that have ended, beyond a number.
DELETE FROM agent_evaluations WHERE agent_evaluations.workspace_id = @workspace_id AND agent_evaluations.id IN (
    SELECT old.id FROM agent_evaluations AS old
    WHERE old.workspace_id = @workspace_id AND old.finished_at IS NOT NULL
    ORDER BY old.id DESC OFFSET @kept
);

-- name: AgentEvaluationGet :one
-- One evaluation of an agent, with how many of its cases were held.
SELECT sqlc.embed(agent_evaluations), (
    SELECT count(*) FROM agent_evaluation_cases AS held
    WHERE held.workspace_id = agent_evaluations.workspace_id AND held.evaluation_id = agent_evaluations.id
)::integer AS cases, (
    SELECT count(*) FROM agent_evaluation_cases AS held
    WHERE held.workspace_id = agent_evaluations.workspace_id AND held.evaluation_id = agent_evaluations.id AND held.result IS NOT NULL
)::integer AS done
FROM agent_evaluations WHERE agent_evaluations.workspace_id = @workspace_id AND agent_evaluations.agent_id = @agent_id AND agent_evaluations.id = @id;

-- name: AgentEvaluationList :many
-- Evaluations of an agent before before_id, newest first.
SELECT sqlc.embed(agent_evaluations), (
    SELECT count(*) FROM agent_evaluation_cases AS held
    WHERE held.workspace_id = agent_evaluations.workspace_id AND held.evaluation_id = agent_evaluations.id
)::integer AS cases, (
    SELECT count(*) FROM agent_evaluation_cases AS held
    WHERE held.workspace_id = agent_evaluations.workspace_id AND held.evaluation_id = agent_evaluations.id AND held.result IS NOT NULL
)::integer AS done
FROM agent_evaluations
WHERE agent_evaluations.workspace_id = @workspace_id AND agent_evaluations.agent_id = @agent_id AND agent_evaluations.id < @before_id
ORDER BY agent_evaluations.id DESC LIMIT @row_limit;

-- name: SystemAgentEvaluationClaim :many
-- Leases evaluations that no process works on: the oldest of each workspace, so that a workspace
-- has one in progress. The workspace that has waited longest is first.
UPDATE agent_evaluations SET
    status = 'RUNNING', lease = gen_random_uuid(), leased_until = @until::timestamptz, tries = agent_evaluations.tries + 1,
    started_at = coalesce(agent_evaluations.started_at, @now::timestamptz), deadline_at = coalesce(agent_evaluations.deadline_at, @deadline::timestamptz)
FROM (
    SELECT head.workspace_id, head.id FROM agent_evaluations AS head
    WHERE head.finished_at IS NULL AND coalesce(head.leased_until, @now::timestamptz) <= @now::timestamptz
      AND NOT EXISTS (
        SELECT FROM agent_evaluations AS older
        WHERE older.workspace_id = head.workspace_id AND older.finished_at IS NULL AND older.id < head.id)
    ORDER BY (SELECT max(earlier.started_at) FROM agent_evaluations AS earlier WHERE earlier.workspace_id = head.workspace_id) NULLS FIRST, head.id
    LIMIT @row_limit FOR UPDATE OF head SKIP LOCKED
) AS due
WHERE agent_evaluations.workspace_id = due.workspace_id AND agent_evaluations.id = due.id
RETURNING agent_evaluations.*;

-- name: AgentEvaluationRenew :execrows
-- Extends the lease of an evaluation; 0 rows if it was lost.
UPDATE agent_evaluations SET leased_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND lease = @lease AND finished_at IS NULL;

-- name: AgentEvaluationRelease :exec
-- Gives back an evaluation, for any process to continue.
UPDATE agent_evaluations SET lease = NULL, leased_until = NULL, tries = 0
WHERE workspace_id = @workspace_id AND id = @id AND lease = @lease AND finished_at IS NULL;

-- name: AgentEvaluationEnd :exec
-- Records how an evaluation ended, unless its lease was lost. Its cost is that of the calls in the
-- ledger, also of replies that were interrupted; null if one has no price. Calls that a process has
-- left behind when it died don't count: what they cost is not known.
UPDATE agent_evaluations AS evaluations SET
    status = @status, reason = sqlc.narg('reason'), report = sqlc.narg('report'),
    cost_micros = (
        SELECT CASE WHEN count(*) = count(calls.cost_micros) THEN coalesce(sum(calls.cost_micros), 0) END
        FROM model_calls AS calls
        WHERE calls.workspace_id = @workspace_id AND calls.evaluation_id = evaluations.id AND calls.outcome IS NOT NULL AND calls.outcome <> 'lost'
    )::bigint,
    finished_at = @finished_at::timestamptz, lease = NULL, leased_until = NULL
WHERE evaluations.workspace_id = @workspace_id AND evaluations.id = @id AND evaluations.lease = @lease AND evaluations.finished_at IS NULL;

-- name: AgentEvaluationResultSet :exec
-- Keeps how a case went, unless the lease was lost.
UPDATE agent_evaluation_cases SET result = @result::jsonb
WHERE agent_evaluation_cases.workspace_id = @workspace_id AND agent_evaluation_cases.evaluation_id = @evaluation_id
  AND agent_evaluation_cases.position = @position AND EXISTS (
    SELECT FROM agent_evaluations AS running
    WHERE running.workspace_id = @workspace_id AND running.id = @evaluation_id AND running.lease = @lease AND running.finished_at IS NULL);

-- name: AgentEvaluationCaseList :many
-- The cases of an evaluation, in their order.
SELECT position, definition, result FROM agent_evaluation_cases
WHERE workspace_id = @workspace_id AND evaluation_id = @evaluation_id ORDER BY position;

-- name: SystemAgentEvaluationDeleteOld :execrows
-- Deletes up to max_rows evaluations that ended before a time.
DELETE FROM agent_evaluations WHERE (workspace_id, id) IN (
    SELECT old.workspace_id, old.id FROM agent_evaluations AS old WHERE old.finished_at < @before::timestamptz LIMIT @max_rows
);

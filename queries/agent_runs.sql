-- name: AgentRunRequest :execrows
-- Asks the agent of a conversation to reply to a message; 0 rows if it is not published. The
-- open run of the conversation replies to this message too, and gets the time for it.
INSERT INTO agent_runs (workspace_id, id, agent_id, conversation_id, message_id, deadline_at, created_at)
SELECT agents.workspace_id, @id, agents.id, @conversation_id, @message_id, @deadline_at, @created_at
FROM agents WHERE agents.workspace_id = @workspace_id AND agents.id = @agent_id AND agents.status = 'PUBLISHED'
ON CONFLICT (workspace_id, conversation_id) WHERE outcome IS NULL
DO UPDATE SET message_id = excluded.message_id, deadline_at = excluded.deadline_at;

-- name: SystemAgentRunClaim :many
-- Leases runs that no process works on: of each workspace at most share at a time, in all
-- processes, beginning after a workspace.
UPDATE agent_runs SET
    lease = gen_random_uuid(), leased_until = @until::timestamptz, tries = agent_runs.tries + 1,
    started_at = coalesce(agent_runs.started_at, @now::timestamptz)
FROM due_agent_runs(@now::timestamptz, @share::integer, @row_limit::integer, @after_workspace::uuid) AS due
WHERE agent_runs.workspace_id = due.of_workspace AND agent_runs.id = due.run
RETURNING agent_runs.*;

-- name: AgentRunRenew :execrows
-- Extends the lease of a run; 0 rows if it was lost.
UPDATE agent_runs SET leased_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND lease = @lease AND outcome IS NULL;

-- name: AgentRunGet :one
-- One run of the workspace.
SELECT * FROM agent_runs WHERE workspace_id = @workspace_id AND id = @id;

-- name: AgentRunLock :one
-- An open run that is still leased, locked until the transaction ends. Its conversation is
-- locked before.
SELECT * FROM agent_runs WHERE workspace_id = @workspace_id AND id = @id AND lease = @lease AND outcome IS NULL FOR UPDATE;

-- name: AgentRunRelease :exec
-- Gives back a run, for any process to begin again.
UPDATE agent_runs SET lease = NULL, leased_until = NULL, tries = 0
WHERE workspace_id = @workspace_id AND id = @id AND lease = @lease AND outcome IS NULL;

-- name: AgentRunEnd :exec
-- Records how a run ended. Its cost is that of the calls in the ledger, also of attempts that were
-- given back; null if one has no price. Calls that a process has left behind when it died don't
-- count: what they cost is not known.
UPDATE agent_runs AS runs SET
    outcome = @outcome::text, reason = sqlc.narg('reason'), steps = @steps, reply_id = sqlc.narg('reply_id'),
    agent_version = sqlc.narg('agent_version'),
    model_provider = @model_provider::text, model_name = @model_name::text, input_tokens = @input_tokens, output_tokens = @output_tokens,
    cost_micros = (
        SELECT CASE WHEN count(*) = count(calls.cost_micros) THEN coalesce(sum(calls.cost_micros), 0) END
        FROM model_calls AS calls
        WHERE calls.workspace_id = @workspace_id AND calls.run_id = runs.id AND calls.outcome IS NOT NULL AND calls.outcome <> 'lost'
    )::bigint,
    finished_at = @finished_at::timestamptz, lease = NULL, leased_until = NULL
WHERE runs.workspace_id = @workspace_id AND runs.id = @id;

-- name: SystemAgentRunDeleteOld :execrows
-- Deletes up to max_rows runs that ended before a time.
DELETE FROM agent_runs WHERE (workspace_id, id) IN (
    SELECT old.workspace_id, old.id FROM agent_runs AS old WHERE old.finished_at < @before::timestamptz LIMIT @max_rows
);

-- name: AgentRunList :many
-- Runs of an agent before before_id, newest first.
SELECT * FROM agent_runs
WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: ConversationRecordAgentMessage :exec
-- Updates a conversation for a message of its agent.
UPDATE conversations SET last_message_at = @sent_at, updated_at = @sent_at, revision = revision + 1
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ConversationDescribe :exec
-- Sets the sentiment of a conversation, and its summary if there is a new one.
UPDATE conversations SET sentiment = sqlc.narg('sentiment'), summary = coalesce(sqlc.narg('summary'), summary)
WHERE workspace_id = @workspace_id AND id = @id;

-- name: IdentityIsVerified :one
-- Whether it is known who a contact is in a channel.
SELECT verified FROM contact_identities
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = @external_id;

-- name: LeadLockOfConversation :one
-- The latest lead of a conversation, locked until the transaction ends.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id::uuid
ORDER BY id DESC LIMIT 1 FOR UPDATE;

-- name: LeadLockOfContact :one
-- The latest lead of a contact's conversations, locked until the transaction ends.
SELECT leads.* FROM leads
JOIN conversations ON conversations.workspace_id = leads.workspace_id AND conversations.id = leads.conversation_id
WHERE leads.workspace_id = @workspace_id AND conversations.contact_id = @contact_id
ORDER BY leads.id DESC LIMIT 1 FOR UPDATE OF leads;

-- name: LeadCapture :one
-- Creates a lead in stage NEW from a conversation that is locked, and counts it.
WITH created AS (
    INSERT INTO leads (workspace_id, id, status, fields, score, score_reason, source, conversation_id, created_at, updated_at)
    VALUES (@workspace_id, @id, 'NEW', @fields, @score::smallint, @score_reason::text, @source::text, @conversation_id::uuid, @created_at, @created_at)
    RETURNING *
), counted AS MATERIALIZED (
    SELECT count_lead(@workspace_id, @conversation_id::uuid, @created_at, 'NEW', 1)
)
SELECT created.* FROM created, counted;

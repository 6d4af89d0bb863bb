-- name: AgentLock :one
-- One agent, locked until the transaction ends.
SELECT * FROM agents WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: AgentCompareDraft :one
-- Records whether the draft of an agent differs from its published version.
UPDATE agents SET unpublished_changes = NOT EXISTS (
    SELECT FROM agent_versions AS version
    WHERE version.workspace_id = agents.workspace_id AND version.agent_id = agents.id AND version.number = agents.published_version
      AND (version.system_prompt, version.model_provider, version.model_name, version.temperature, version.max_tokens)
        = (agents.system_prompt, agents.model_provider, agents.model_name, agents.temperature, agents.max_tokens))
WHERE agents.workspace_id = @workspace_id AND agents.id = @id
RETURNING *;

-- name: AgentPublish :one
-- Sets the version that is published.
UPDATE agents SET status = 'PUBLISHED', published_version = @number::integer, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: AgentVersionCreate :one
-- Keeps the draft of an agent that is locked, as its next version.
INSERT INTO agent_versions (workspace_id, agent_id, number, system_prompt, model_provider, model_name, temperature, max_tokens, created_at)
SELECT agents.workspace_id, agents.id, 1 + coalesce((
        SELECT max(latest.number) FROM agent_versions AS latest WHERE latest.workspace_id = agents.workspace_id AND latest.agent_id = agents.id
    ), 0), agents.system_prompt, agents.model_provider, agents.model_name, agents.temperature, agents.max_tokens, @created_at
FROM agents WHERE agents.workspace_id = @workspace_id AND agents.id = @agent_id
RETURNING *;

-- name: AgentVersionGet :one
-- One version of an agent.
SELECT * FROM agent_versions WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND number = @number;

-- name: AgentVersionList :many
-- Versions of an agent before a number, newest first.
SELECT * FROM agent_versions
WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND number < @before_number::bigint
ORDER BY number DESC LIMIT @row_limit;

-- name: AgentVersionWithdraw :exec
-- Withdraws a version, or restores it.
UPDATE agent_versions SET withdrawn_at = sqlc.narg('withdrawn_at')
WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND number = @number;

-- name: AgentVersionDeleteOld :exec
-- Deletes the versions of an agent up to a number, except the published one.
DELETE FROM agent_versions
WHERE workspace_id = @workspace_id AND agent_id = @agent_id AND number <= @up_to AND number <> @published;

-- name: AgentVersionOfConversation :one
-- The version that replies in a conversation: the one that has replied before, unless it was
-- withdrawn or deleted, and otherwise the published one.
SELECT version.* FROM agent_versions AS version
JOIN agents ON agents.workspace_id = version.workspace_id AND agents.id = version.agent_id
WHERE version.workspace_id = @workspace_id AND version.agent_id = @agent_id
  AND (version.number = agents.published_version OR version.number = sqlc.narg('replied_before')::integer AND version.withdrawn_at IS NULL)
ORDER BY coalesce(version.number = sqlc.narg('replied_before')::integer, false) DESC LIMIT 1;

-- name: ConversationSetAgentVersion :exec
-- Records the version that has replied in a conversation that is locked.
UPDATE conversations SET agent_version = @agent_version::integer WHERE workspace_id = @workspace_id AND id = @id;

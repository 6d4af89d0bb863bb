-- name: AuditEntryCreate :exec
-- Creates an entry, in the transaction of the change that it describes. The actor of a token
-- is its name with its prefix and last four characters.
INSERT INTO audit_entries (workspace_id, id, actor_type, actor_id, actor_name, action, target, ip, user_agent, request_id, created_at)
VALUES (@workspace_id, @id, @actor_type, sqlc.narg('actor_id'),
    coalesce((SELECT api_tokens.name || ' (convo_…' || api_tokens.last_four || ')' FROM api_tokens
        WHERE api_tokens.workspace_id = @workspace_id AND api_tokens.id = sqlc.narg('actor_id') AND @actor_type = 'TOKEN'), @actor_name),
    @action, @target, @ip, @user_agent, @request_id, @created_at);

-- name: SystemAuditEntryCreateByUser :exec
-- Creates an entry of a user in each of their workspaces. Without the user, it runs just as
-- well and creates none.
INSERT INTO audit_entries (workspace_id, id, actor_type, actor_id, actor_name, action, target, ip, user_agent, request_id, created_at)
SELECT memberships.workspace_id, uuid_v7(@created_at::timestamptz), 'USER', memberships.user_id, @actor_name, @action, @target, @ip, @user_agent, @request_id, @created_at::timestamptz
FROM memberships WHERE memberships.user_id = @user_id;

-- name: AuditEntryList :many
-- Entries before before_id, newest first; of one actor type, or of all if actor_type is
-- empty.
SELECT * FROM audit_entries
WHERE workspace_id = @workspace_id AND id < @before_id AND (@actor_type::text = '' OR actor_type = @actor_type::text)
ORDER BY id DESC LIMIT @row_limit;

-- name: SystemAuditEntryDeleteOld :execrows
-- Deletes up to max_rows entries created before a time.
DELETE FROM audit_entries WHERE (workspace_id, id) IN (
  SELECT workspace_id, id FROM audit_entries AS old WHERE old.created_at < @before LIMIT @max_rows
);

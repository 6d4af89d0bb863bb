-- name: AuditEntryCreate :exec
-- Creates an entry, in the transaction of the change that it describes.
INSERT INTO audit_entries (workspace_id, id, actor_type, actor_id, actor_name, action, target, ip, user_agent, request_id, created_at)
VALUES (@workspace_id, @id, @actor_type, sqlc.narg('actor_id'), @actor_name, @action, @target, @ip, @user_agent, @request_id, @created_at);

-- name: SystemAuditEntryCreateMany :exec
-- Creates entries of several workspaces. The actor of a token is its name with its prefix and last four characters.
INSERT INTO audit_entries (workspace_id, id, actor_type, actor_id, actor_name, action, target, ip, user_agent, request_id, created_at)
SELECT made.workspace_id, made.id, made.actor_type, made.actor_id, coalesce(api_tokens.name || ' (convo_…' || api_tokens.last_four || ')', made.actor_name), made.action, made.target,
    made.ip, made.user_agent, made.request_id, made.created_at
FROM (
    SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@ids::uuid[]) AS id, unnest(@actor_types::text[]) AS actor_type,
        unnest(@actor_ids::uuid[]) AS actor_id, unnest(@actor_names::text[]) AS actor_name, unnest(@actions::text[]) AS action,
        unnest(@targets::text[]) AS target, unnest(@ips::text[]) AS ip, unnest(@user_agents::text[]) AS user_agent,
        unnest(@request_ids::text[]) AS request_id, unnest(@created_ats::timestamptz[]) AS created_at
) AS made
LEFT JOIN api_tokens ON api_tokens.workspace_id = made.workspace_id AND api_tokens.id = made.actor_id AND made.actor_type = 'TOKEN'
ON CONFLICT DO NOTHING;

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

-- name: SystemAttachmentClaim :many
-- Leases files that wait to be fetched: of each workspace at most share at a time, in all
-- processes, beginning after a workspace.
WITH claimed AS (
    UPDATE attachments SET leased_until = @until::timestamptz, tries = attachments.tries + 1
    FROM due_attachments(@now::timestamptz, @share::integer, @row_limit::integer, @after_workspace::uuid) AS due
    WHERE attachments.workspace_id = due.of_workspace AND attachments.id = due.attachment
    RETURNING attachments.*
)
SELECT claimed.workspace_id, claimed.id, claimed.message_id, claimed.external_id, claimed.content_type, claimed.tries, sqlc.embed(channels)
FROM claimed
JOIN messages ON messages.workspace_id = claimed.workspace_id AND messages.id = claimed.message_id
JOIN conversations ON conversations.workspace_id = messages.workspace_id AND conversations.id = messages.conversation_id
JOIN channels ON channels.workspace_id = conversations.workspace_id AND channels.id = conversations.channel_id;

-- name: AttachmentReschedule :exec
-- Ends the lease of a file, which is fetched again later.
UPDATE attachments SET leased_until = NULL, next_attempt_at = @next_attempt_at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND state = 'PENDING';

-- name: SystemChannelListUnheld :many
-- Channels of some types whose connection no process holds: the first one of each workspace,
-- then the second one, and so on.
SELECT workspace_id, id FROM channels
WHERE type = ANY(@types::text[]) AND status = 'CONNECTED' AND deleted_at IS NULL AND credentials IS NOT NULL
  AND coalesce(config ->> 'inbound', 'imap') = 'imap' -- others of the type receive through their hook
  AND (listener_until IS NULL OR listener_until <= @now::timestamptz)
ORDER BY row_number() OVER (PARTITION BY workspace_id ORDER BY listener_until NULLS FIRST, id), listener_until NULLS FIRST, id LIMIT @row_limit;

-- name: SystemChannelClaimListeners :many
-- Leases the connections of some channels, unless another process holds them by now.
UPDATE channels SET listener = @listener, listener_until = @until::timestamptz
WHERE (workspace_id, id) IN (
    SELECT unheld.workspace_id, unheld.id FROM channels AS unheld
    WHERE (unheld.workspace_id, unheld.id) IN (SELECT unnest(@workspace_ids::uuid[]), unnest(@ids::uuid[]))
      AND unheld.status = 'CONNECTED' AND unheld.deleted_at IS NULL
      AND (unheld.listener_until IS NULL OR unheld.listener_until <= @now::timestamptz)
    FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: ChannelRenewListener :execrows
-- Extends the lease of a connection; 0 rows if it was lost, or if the channel has changed
-- since: the connection must then be opened again.
UPDATE channels SET listener_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND listener = @listener AND updated_at = @updated_at AND status = 'CONNECTED' AND deleted_at IS NULL;

-- name: ChannelReleaseListener :exec
-- Gives back a connection, which is opened again after a time.
UPDATE channels SET listener_until = @until::timestamptz, listener = NULL
WHERE workspace_id = @workspace_id AND id = @id AND listener = @listener;

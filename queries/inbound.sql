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

-- name: SystemChannelClaimListeners :many
-- Leases channels of some types whose connection no process holds.
UPDATE channels SET listener = @listener, listener_until = @until::timestamptz
WHERE (workspace_id, id) IN (
    SELECT free.workspace_id, free.id FROM channels AS free
    WHERE free.type = ANY(@types::text[]) AND free.status = 'CONNECTED' AND free.deleted_at IS NULL AND free.credentials IS NOT NULL
      AND coalesce(free.config ->> 'inbound', 'imap') = 'imap' -- others of the type receive through their hook
      AND (free.listener_until IS NULL OR free.listener_until <= @now::timestamptz)
    ORDER BY free.listener_until NULLS FIRST, free.id LIMIT @row_limit FOR UPDATE SKIP LOCKED)
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

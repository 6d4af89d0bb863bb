-- name: IdentityLock :one
-- One identity of a channel, locked until the transaction ends. Everything that is received
-- from a contact takes this lock first, then that of the conversation.
SELECT * FROM contact_identities
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = @external_id
FOR UPDATE;

-- name: IdentityFindAny :one
-- The oldest of some identities of a channel.
SELECT * FROM contact_identities
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = ANY(@external_ids::text[])
ORDER BY created_at, external_id LIMIT 1;

-- name: IdentityAdd :exec
-- Adds an identity to a contact, unless the channel knows it.
INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, address, name, created_at, last_seen_at)
VALUES (@workspace_id, @channel_id, @external_id, @contact_id, @verified, sqlc.narg('address'), sqlc.narg('name'), @created_at, @created_at)
ON CONFLICT (workspace_id, channel_id, external_id) DO NOTHING;

-- name: IdentityCreateWithContact :one
-- Creates an identity with a new contact. Returns no row if the channel knows the identity.
WITH identity AS (
    INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, address, name, created_at, last_seen_at)
    VALUES (@workspace_id, @channel_id, @external_id, @contact_id, @verified, sqlc.narg('address'), sqlc.narg('name'), @created_at, @created_at)
    ON CONFLICT (workspace_id, channel_id, external_id) DO NOTHING
    RETURNING contact_id
)
INSERT INTO contacts (workspace_id, id, name, email, phone, created_at, updated_at)
SELECT @workspace_id, identity.contact_id, sqlc.narg('name'), sqlc.narg('email'), sqlc.narg('phone'), @created_at, @created_at FROM identity
RETURNING *;

-- name: IdentitySeen :exec
-- Updates an identity for a message from it. A contact who writes has not blocked the channel.
UPDATE contact_identities SET
    last_seen_at = @seen_at,
    verified = verified OR @verified,
    address = coalesce(sqlc.narg('address'), address),
    name = coalesce(sqlc.narg('name'), name),
    blocked_at = NULL
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = @external_id;

-- name: IdentitySetBlocked :execrows
-- Records that a contact has blocked a channel or opted out, or takes that back with null.
UPDATE contact_identities SET blocked_at = sqlc.narg('blocked_at')
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = @external_id
  AND (blocked_at IS NULL) <> (sqlc.narg('blocked_at')::timestamptz IS NULL);

-- name: MessageLatest :one
-- The ID of the latest message of a conversation.
SELECT id FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id
ORDER BY id DESC LIMIT 1;

-- name: MessageListOldest :many
-- Messages of a conversation, oldest first, after after_id and up to through_id.
SELECT * FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id
  AND id > @after_id AND id <= @through_id
ORDER BY id LIMIT @row_limit;

-- name: MessageListNewest :many
-- Messages of a conversation, newest first, before before_id.
SELECT * FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: MessageListChanged :many
-- Messages of a conversation that have changed after a position, up to a revision.
SELECT * FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id
  AND revision >= @after_revision AND (revision > @after_revision OR id > @after_id)
  AND revision <= @through_revision
ORDER BY revision, id LIMIT @row_limit;

-- name: MessageListLatest :many
-- The beginning of the latest message of each conversation.
SELECT latest.conversation_id, left(latest.content, 160)::text AS content, latest.author_type
FROM unnest(@conversation_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT messages.conversation_id, messages.content, messages.author_type FROM messages
    WHERE messages.workspace_id = @workspace_id AND messages.conversation_id = wanted.id
    ORDER BY messages.id DESC LIMIT 1
) AS latest;

-- name: MessageGet :one
-- One message of a conversation.
SELECT * FROM messages WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id AND id = @id;

-- name: MessageExists :one
-- Whether a conversation has a message.
SELECT EXISTS (SELECT 1 FROM messages WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id AND id = @id);

-- name: MessageConversation :one
-- The conversation of a message.
SELECT conversation_id FROM messages WHERE workspace_id = @workspace_id AND id = @id;

-- name: MessageCreate :one
-- Creates a message. The conversation is locked, and its revision is the one before.
INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, contact_id, agent_id, operator_id,
    delivery_status, external_id, client_message_id, reply_to_id, citations, revision, created_at)
VALUES (@workspace_id, @id, @conversation_id, @role, @content, @author_type, sqlc.narg('contact_id'), sqlc.narg('agent_id'), sqlc.narg('operator_id'),
    @delivery_status, sqlc.narg('external_id'), sqlc.narg('client_message_id'), sqlc.narg('reply_to_id'),
    coalesce(sqlc.narg('citations')::jsonb, '[]'), @revision, @created_at)
RETURNING *;

-- name: MessageByExternalID :one
-- The message that a channel's provider knows by an ID.
SELECT messages.* FROM message_external_ids
JOIN messages ON messages.workspace_id = message_external_ids.workspace_id AND messages.id = message_external_ids.message_id
WHERE message_external_ids.workspace_id = @workspace_id AND message_external_ids.channel_id = @channel_id
  AND message_external_ids.external_id = @external_id;

-- name: MessageByExternalIDs :one
-- The latest message that a channel's provider knows by one of some IDs.
SELECT messages.* FROM message_external_ids
JOIN messages ON messages.workspace_id = message_external_ids.workspace_id AND messages.id = message_external_ids.message_id
WHERE message_external_ids.workspace_id = @workspace_id AND message_external_ids.channel_id = @channel_id
  AND message_external_ids.external_id = ANY(@external_ids::text[])
ORDER BY messages.id DESC LIMIT 1;

-- name: MessageExternalIDAdd :exec
-- Records the provider's IDs of a message.
INSERT INTO message_external_ids (workspace_id, channel_id, external_id, message_id, created_at)
SELECT @workspace_id, @channel_id, unnest(@external_ids::text[]), @message_id, @created_at
ON CONFLICT (workspace_id, channel_id, external_id) DO NOTHING;

-- name: MessageListByIDs :many
-- Some messages, oldest first.
SELECT * FROM messages WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: MessageEdit :one
-- Replaces the content of a message, or removes it. The conversation is locked.
UPDATE messages SET
    content = @content, revision = @revision,
    edited_at = coalesce(sqlc.narg('edited_at'), edited_at),
    redacted_at = coalesce(sqlc.narg('redacted_at'), redacted_at)
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: MessageSetDelivery :one
-- Sets the delivery status of a message, and adds an attempt if there is one; the latest 50
-- are kept. The conversation is locked.
UPDATE messages SET
    delivery_status = @delivery_status, revision = @revision,
    external_id = coalesce(external_id, sqlc.narg('external_id')),
    error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), provider_code = sqlc.narg('provider_code'),
    attempts = CASE WHEN @attempt::jsonb IS NULL THEN attempts
                    WHEN jsonb_array_length(attempts) >= 50 THEN (attempts - 0) || @attempt::jsonb
                    ELSE attempts || @attempt::jsonb END
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: MessageTouch :one
-- Sets the revision of a message whose attachments have changed. The conversation is locked.
UPDATE messages SET revision = @revision WHERE workspace_id = @workspace_id AND id = @id RETURNING *;

-- name: MessageListUnread :many
-- Messages that were sent to an identity between two IDs and are not known to have been read,
-- oldest first.
SELECT messages.* FROM conversations
JOIN messages ON messages.workspace_id = conversations.workspace_id AND messages.conversation_id = conversations.id
WHERE conversations.workspace_id = @workspace_id AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @identity_external_id::text
  AND messages.role = 'ASSISTANT' AND messages.delivery_status IN ('SENT', 'UNCONFIRMED', 'FAILED', 'DELIVERED')
  AND messages.id > @after_id AND messages.id < @before_id
ORDER BY messages.id LIMIT @row_limit;

-- name: AttachmentCreate :one
-- Adds a file to a message.
INSERT INTO attachments (workspace_id, id, message_id, type, name, content_type, size_bytes, state, external_id, blob_key, created_at)
VALUES (@workspace_id, @id, @message_id, @type, sqlc.narg('name'), sqlc.narg('content_type'), sqlc.narg('size_bytes'), @state,
    sqlc.narg('external_id'), sqlc.narg('blob_key'), @created_at)
RETURNING *;

-- name: AttachmentListByMessages :many
-- The files of messages, in their order.
SELECT * FROM attachments WHERE workspace_id = @workspace_id AND message_id = ANY(@message_ids::uuid[])
ORDER BY message_id, id;

-- name: AttachmentGet :one
-- One file of a message that was not redacted, with the conversation of the message.
SELECT sqlc.embed(attachments), messages.conversation_id FROM attachments
JOIN messages ON messages.workspace_id = attachments.workspace_id AND messages.id = attachments.message_id
WHERE attachments.workspace_id = @workspace_id AND attachments.id = @id AND messages.redacted_at IS NULL;

-- name: AttachmentFinish :execrows
-- Records that a file was fetched and stored, or that it cannot be.
UPDATE attachments SET
    state = @state, blob_key = sqlc.narg('blob_key'),
    name = coalesce(name, sqlc.narg('name')),
    content_type = coalesce(sqlc.narg('content_type'), content_type),
    size_bytes = coalesce(sqlc.narg('size_bytes'), size_bytes)
WHERE workspace_id = @workspace_id AND id = @id AND state = 'PENDING';

-- name: OutboundEnqueue :exec
-- Queues a message of a conversation that is locked, as a template if there is one.
SELECT queue_message(conversations.workspace_id, conversations.channel_id, conversations.id, @message_id::uuid, @next_attempt_at::timestamptz, sqlc.narg('template')::jsonb)
FROM conversations WHERE workspace_id = @workspace_id AND id = @conversation_id;

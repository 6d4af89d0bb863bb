-- name: ContactGet :one
-- One contact of the workspace, also if it was erased.
SELECT * FROM contacts WHERE workspace_id = @workspace_id AND id = @id;

-- name: ContactLock :one
-- One contact that was not erased, locked until the transaction ends.
SELECT * FROM contacts WHERE workspace_id = @workspace_id AND id = @id AND erased_at IS NULL FOR UPDATE;

-- name: ContactGetShared :one
-- One contact, which is not erased until the transaction ends.
SELECT * FROM contacts WHERE workspace_id = @workspace_id AND id = @id FOR KEY SHARE;

-- name: ContactList :many
-- Contacts before before_id, newest first, with any combination of filters. It is planned for
-- each execution (see postgres.PlanEachTime). name_prefix is a LIKE pattern.
SELECT * FROM contacts
WHERE workspace_id = @workspace_id AND id < @before_id AND erased_at IS NULL
  AND (sqlc.narg('email')::text IS NULL OR lower(email) = lower(sqlc.narg('email')))
  AND (sqlc.narg('phone')::text IS NULL OR phone = sqlc.narg('phone'))
  AND (sqlc.narg('name_prefix')::text IS NULL OR lower(name) LIKE lower(sqlc.narg('name_prefix')))
ORDER BY id DESC LIMIT @row_limit;

-- name: ContactUpdate :one
-- Replaces what is known about a contact that is locked.
UPDATE contacts SET name = sqlc.narg('name'), email = sqlc.narg('email'), phone = sqlc.narg('phone'), updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: ContactErase :exec
-- Removes what is known about a contact that is locked.
UPDATE contacts SET name = NULL, email = NULL, phone = NULL, erased_at = @erased_at, updated_at = @erased_at
WHERE workspace_id = @workspace_id AND id = @id;

-- name: IdentityListByContact :many
-- How channels know a contact, oldest first.
SELECT * FROM contact_identities WHERE workspace_id = @workspace_id AND contact_id = @contact_id
ORDER BY created_at, channel_id, external_id;

-- name: IdentityLatestOfContact :one
-- The identity of a contact in a channel that was used last.
SELECT * FROM contact_identities
WHERE workspace_id = @workspace_id AND contact_id = @contact_id AND channel_id = @channel_id
ORDER BY last_seen_at DESC, external_id LIMIT 1;

-- name: IdentityDeleteByContact :exec
-- Deletes how channels know a contact.
DELETE FROM contact_identities WHERE workspace_id = @workspace_id AND contact_id = @contact_id;

-- name: ConversationListByContact :many
-- Conversations of a contact after after_id, oldest first.
SELECT * FROM conversations
WHERE workspace_id = @workspace_id AND contact_id = @contact_id AND id > @after_id
ORDER BY id LIMIT @row_limit;

-- name: ConversationLockAbout :many
-- The conversations of a contact, and others in which the contact has written, locked until
-- the transaction ends.
SELECT * FROM conversations
WHERE conversations.workspace_id = @workspace_id AND conversations.id IN (
    SELECT own.id FROM conversations AS own WHERE own.workspace_id = @workspace_id AND own.contact_id = @contact_id
    UNION
    SELECT conversation_id FROM messages WHERE messages.workspace_id = @workspace_id AND messages.contact_id = @contact_id::uuid)
ORDER BY conversations.id FOR UPDATE;

-- name: MessageRedactAbout :exec
-- Removes the content of all messages in a contact's own conversations, and of what the
-- contact wrote in others. The conversations are locked.
UPDATE messages SET
    content = '', external_id = NULL, client_message_id = NULL, attempts = '[]', citations = '[]', provider_code = NULL,
    error_message = CASE WHEN error_code IS NULL THEN NULL ELSE '' END,
    redacted_at = coalesce(redacted_at, @redacted_at), revision = conversations.revision + 1
FROM conversations
WHERE messages.workspace_id = @workspace_id AND messages.conversation_id = ANY(@conversation_ids::uuid[])
  AND conversations.workspace_id = messages.workspace_id AND conversations.id = messages.conversation_id
  AND (conversations.contact_id = @contact_id OR messages.contact_id = @contact_id::uuid);

-- name: ConversationRedactMany :exec
-- Removes what a provider said about conversations that are locked.
UPDATE conversations SET
    subject = CASE WHEN contact_id = @contact_id THEN NULL ELSE subject END,
    summary = CASE WHEN contact_id = @contact_id THEN NULL ELSE summary END,
    thread_external_id = CASE WHEN contact_id = @contact_id THEN NULL ELSE thread_external_id END,
    updated_at = @updated_at, revision = revision + 1
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: OutboundDropByConversations :many
-- Removes the messages of conversations from the queue.
DELETE FROM outbound_messages
WHERE workspace_id = @workspace_id AND conversation_id = ANY(@conversation_ids::uuid[])
RETURNING message_id;

-- name: LeadListByConversations :many
-- The leads of conversations, oldest first.
SELECT * FROM leads WHERE workspace_id = @workspace_id AND conversation_id = ANY(@conversation_ids::uuid[])
ORDER BY id;

-- name: AttachmentListErased :many
-- Files of redacted messages in conversations.
SELECT attachments.id, attachments.blob_key FROM attachments
JOIN messages ON messages.workspace_id = attachments.workspace_id AND messages.id = attachments.message_id
WHERE attachments.workspace_id = @workspace_id AND messages.conversation_id = ANY(@conversation_ids::uuid[]) AND messages.redacted_at IS NOT NULL
ORDER BY attachments.id LIMIT @row_limit;

-- name: AttachmentDeleteMany :exec
-- Deletes files of messages.
DELETE FROM attachments WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: EventBounds :one
-- The first and the last number of the workspace's events, 0 if there are none.
SELECT coalesce(min(sequence), 0)::bigint AS first, coalesce(max(sequence), 0)::bigint AS last FROM events WHERE workspace_id = @workspace_id;

-- name: EventRedactAbout :many
-- Removes a person from the events of a range, and returns the numbers of those.
UPDATE events SET data = redacted_event(type, data, @redacted_at::text)
WHERE workspace_id = @workspace_id AND sequence > @after AND sequence <= @through
  AND event_is_about(data, @contact_id::text, @conversation_ids::text[])
RETURNING sequence;

-- name: EventOutboxRedactAbout :exec
-- Removes a person from the events that have no number yet.
UPDATE event_outbox SET data = redacted_event(type, data, @redacted_at::text)
WHERE workspace_id = @workspace_id AND event_is_about(data, @contact_id::text, @conversation_ids::text[]);

-- name: WebhookDeliveryRedact :exec
-- Removes what webhooks responded to events.
UPDATE webhook_deliveries SET attempts = (
    SELECT coalesce(jsonb_agg(attempt || '{"responseBody": null}'), '[]') FROM jsonb_array_elements(attempts) AS attempt)
WHERE workspace_id = @workspace_id AND event_sequence = ANY(@sequences::bigint[]) AND attempts <> '[]';

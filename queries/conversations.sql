-- name: ConversationList :many
-- Conversations before before_id, newest first, with any combination of filters. It is
-- planned for each execution (see postgres.PlanEachTime), so that an absent
-- filter costs nothing.
SELECT sqlc.embed(conversations), sqlc.embed(contacts)
FROM conversations
JOIN contacts ON contacts.workspace_id = conversations.workspace_id AND contacts.id = conversations.contact_id
WHERE conversations.workspace_id = @workspace_id
  AND conversations.id < @before_id
  AND (sqlc.narg('agent_id')::uuid IS NULL OR conversations.agent_id = sqlc.narg('agent_id'))
  AND (sqlc.narg('channel_id')::uuid IS NULL OR conversations.channel_id = sqlc.narg('channel_id'))
  AND (sqlc.narg('status')::text IS NULL OR conversations.status = sqlc.narg('status'))
  AND (sqlc.narg('operator_id')::uuid IS NULL OR conversations.assigned_operator_id = sqlc.narg('operator_id'))
  AND (NOT @unassigned::boolean OR conversations.assigned_operator_id IS NULL)
  AND (sqlc.narg('contact_ids')::uuid[] IS NULL OR conversations.contact_id = ANY(sqlc.narg('contact_ids')::uuid[]))
ORDER BY conversations.id DESC LIMIT @row_limit;

-- name: ConversationListTagged :many
-- The same, only conversations with first_tag_id and all of other_tag_ids, which are distinct.
-- The other tags are counted, since NOT EXISTS makes PostgreSQL read all tags of the workspace.
SELECT sqlc.embed(conversations), sqlc.embed(contacts)
FROM conversation_tags
JOIN conversations ON conversations.workspace_id = conversation_tags.workspace_id
  AND conversations.id = conversation_tags.conversation_id
JOIN contacts ON contacts.workspace_id = conversations.workspace_id AND contacts.id = conversations.contact_id
WHERE conversation_tags.workspace_id = @workspace_id
  AND conversation_tags.tag_id = @first_tag_id
  AND conversation_tags.conversation_id < @before_id
  AND cardinality(@other_tag_ids::uuid[]) = (
    SELECT count(*) FROM conversation_tags AS other
    WHERE other.workspace_id = @workspace_id
      AND other.conversation_id = conversation_tags.conversation_id AND other.tag_id = ANY(@other_tag_ids::uuid[]))
  AND (sqlc.narg('agent_id')::uuid IS NULL OR conversations.agent_id = sqlc.narg('agent_id'))
  AND (sqlc.narg('channel_id')::uuid IS NULL OR conversations.channel_id = sqlc.narg('channel_id'))
  AND (sqlc.narg('status')::text IS NULL OR conversations.status = sqlc.narg('status'))
  AND (sqlc.narg('operator_id')::uuid IS NULL OR conversations.assigned_operator_id = sqlc.narg('operator_id'))
  AND (NOT @unassigned::boolean OR conversations.assigned_operator_id IS NULL)
  AND (sqlc.narg('contact_ids')::uuid[] IS NULL OR conversations.contact_id = ANY(sqlc.narg('contact_ids')::uuid[]))
ORDER BY conversation_tags.conversation_id DESC LIMIT @row_limit;

-- name: ConversationGet :one
-- One conversation with its contact, the name of its operator, and what decides on replies.
SELECT sqlc.embed(conversations), sqlc.embed(contacts), operators.name AS operator_name,
    channels.type AS channel_type, channels.status AS channel_status, channels.deleted_at AS channel_deleted_at,
    channels.config AS channel_config, contact_identities.blocked_at
FROM conversations
JOIN channels ON channels.workspace_id = conversations.workspace_id AND channels.id = conversations.channel_id
LEFT JOIN contact_identities ON contact_identities.workspace_id = conversations.workspace_id
  AND contact_identities.channel_id = conversations.channel_id
  AND contact_identities.external_id = conversations.identity_external_id
JOIN contacts ON contacts.workspace_id = conversations.workspace_id AND contacts.id = conversations.contact_id
LEFT JOIN operators ON operators.workspace_id = conversations.workspace_id
  AND operators.id = conversations.assigned_operator_id
WHERE conversations.workspace_id = @workspace_id AND conversations.id = @id;

-- name: ConversationLock :one
-- One conversation, locked until the transaction ends.
SELECT * FROM conversations WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: ConversationLockMany :many
-- The conversations of ids that are in the workspace, locked until the transaction ends, in
-- the order of their ids so that two bulk actions cannot deadlock.
SELECT * FROM conversations
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[])
ORDER BY id FOR UPDATE;

-- name: ConversationSetStatusMany :exec
-- Sets the status of conversations that are locked. The first hand-off is remembered, unless
-- an operator has written before it: the time to the first reply counts from it. One that was
-- closed continues with the published version of its agent.
UPDATE conversations SET
    agent_version = CASE WHEN status <> 'CLOSED' THEN agent_version END, status = @status, updated_at = @updated_at, revision = revision + 1,
    handed_off_at = CASE WHEN @status = 'HANDED_OFF' AND first_operator_reply_at IS NULL THEN coalesce(handed_off_at, @updated_at) ELSE handed_off_at END
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ConversationStatusChangeRecordMany :exec
-- Records a change of status, one row per conversation. A new conversation has an empty
-- status before.
INSERT INTO conversation_status_changes (workspace_id, conversation_id, from_status, to_status, changed_at)
SELECT @workspace_id, moved.conversation_id, nullif(moved.from_status, ''), @to_status, @changed_at
FROM (SELECT unnest(@conversation_ids::uuid[]) AS conversation_id, unnest(@from_statuses::text[]) AS from_status) AS moved;

-- name: ConversationAssignMany :exec
-- Assigns conversations to an operator, or unassigns them.
UPDATE conversations SET assigned_operator_id = sqlc.narg('operator_id'), updated_at = @updated_at, revision = revision + 1
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ConversationTagMany :many
-- Adds each tag to each conversation; returns the pairs that are new.
INSERT INTO conversation_tags (workspace_id, conversation_id, tag_id)
SELECT @workspace_id, conversation.id, tag.id
FROM unnest(@conversation_ids::uuid[]) AS conversation (id), unnest(@tag_ids::uuid[]) AS tag (id)
ON CONFLICT DO NOTHING
RETURNING conversation_id, tag_id;

-- name: ConversationUntagMany :many
-- Removes each tag from each conversation; returns the removed pairs.
DELETE FROM conversation_tags
WHERE workspace_id = @workspace_id
  AND conversation_id = ANY(@conversation_ids::uuid[]) AND tag_id = ANY(@tag_ids::uuid[])
RETURNING conversation_id, tag_id;

-- name: ConversationTouchMany :exec
-- Records a change of conversations that are locked.
UPDATE conversations SET updated_at = @updated_at, revision = revision + 1
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ConversationRecordOperatorMessage :exec
-- Updates a conversation for a new operator message.
UPDATE conversations SET
    last_message_at = @sent_at,
    first_operator_reply_at = coalesce(first_operator_reply_at, @sent_at),
    updated_at = @sent_at, revision = revision + 1
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ConversationRecordInbound :one
-- Updates a conversation for a message of the contact, who wrote it at written_at.
UPDATE conversations SET
    last_message_at = @received_at, updated_at = @received_at, revision = revision + 1,
    last_inbound_at = greatest(last_inbound_at, @written_at),
    identity_external_id = coalesce(identity_external_id, @identity_external_id)
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: ConversationSetThread :exec
-- Sets the provider's thread of a conversation that has none.
UPDATE conversations SET thread_external_id = coalesce(thread_external_id, @thread_external_id)
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ConversationCreate :one
-- Creates a conversation.
INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, identity_external_id, thread_external_id, subject,
    created_at, updated_at)
VALUES (@workspace_id, @id, @agent_id, @channel_id, @contact_id, @status, sqlc.narg('identity_external_id'), sqlc.narg('thread_external_id'),
    sqlc.narg('subject'), @created_at, @created_at)
RETURNING *;

-- name: ConversationLatestOfContact :one
-- The latest conversation with a contact in a channel that is not closed and has no thread of
-- the provider, locked until the transaction ends.
SELECT * FROM conversations
WHERE workspace_id = @workspace_id AND contact_id = @contact_id AND channel_id = @channel_id
  AND status <> 'CLOSED' AND thread_external_id IS NULL
ORDER BY id DESC LIMIT 1 FOR UPDATE;

-- name: ConversationLatestOfThread :one
-- The latest conversation of a provider's thread, locked until the transaction ends.
SELECT * FROM conversations
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND thread_external_id = @thread_external_id::text
ORDER BY id DESC LIMIT 1 FOR UPDATE;

-- name: ConversationIDOfThread :one
-- The latest conversation of a provider's thread.
SELECT id FROM conversations
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND thread_external_id = @thread_external_id::text
ORDER BY id DESC LIMIT 1;

-- name: ConversationListByIDs :many
-- Conversations with their contacts, in the order of their ids.
SELECT sqlc.embed(conversations), sqlc.embed(contacts)
FROM conversations
JOIN contacts ON contacts.workspace_id = conversations.workspace_id AND contacts.id = conversations.contact_id
WHERE conversations.workspace_id = @workspace_id AND conversations.id = ANY(@ids::uuid[])
ORDER BY conversations.id;

-- name: ConversationCountHandedOff :one
-- How many conversations are with operators, counted up to at_most.
SELECT count(*) FROM (
    SELECT 1 FROM conversations WHERE workspace_id = @workspace_id AND status = 'HANDED_OFF' LIMIT @at_most
) AS counted;

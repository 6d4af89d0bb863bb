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
ORDER BY conversation_tags.conversation_id DESC LIMIT @row_limit;

-- name: ConversationGet :one
-- One conversation with its contact and the name of its operator.
SELECT sqlc.embed(conversations), sqlc.embed(contacts), operators.name AS operator_name
FROM conversations
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
-- Sets the status of conversations.
UPDATE conversations SET status = @status, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ConversationStatusChangeRecordMany :exec
-- Records a change of status, one row per conversation.
INSERT INTO conversation_status_changes (workspace_id, conversation_id, from_status, to_status, changed_at)
SELECT @workspace_id, moved.conversation_id, moved.from_status, @to_status, @changed_at
FROM (SELECT unnest(@conversation_ids::uuid[]) AS conversation_id, unnest(@from_statuses::text[]) AS from_status) AS moved;

-- name: ConversationAssignMany :exec
-- Assigns conversations to an operator, or unassigns them.
UPDATE conversations SET assigned_operator_id = sqlc.narg('operator_id'), updated_at = @updated_at
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
-- Sets updated_at of conversations.
UPDATE conversations SET updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ConversationRecordOperatorMessage :exec
-- Updates a conversation for a new operator message.
UPDATE conversations SET
    last_message_at = @sent_at,
    first_operator_reply_at = coalesce(first_operator_reply_at, @sent_at),
    updated_at = @sent_at
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ConversationListByIDs :many
-- Conversations with their contacts, in the order of their ids.
SELECT sqlc.embed(conversations), sqlc.embed(contacts)
FROM conversations
JOIN contacts ON contacts.workspace_id = conversations.workspace_id AND contacts.id = conversations.contact_id
WHERE conversations.workspace_id = @workspace_id AND conversations.id = ANY(@ids::uuid[])
ORDER BY conversations.id;

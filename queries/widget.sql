-- name: WidgetConversation :one
-- The conversation that the next message of a visitor continues, or else the latest one.
SELECT conversations.id, conversations.status, conversations.revision, operators.name AS operator_name
FROM conversations
LEFT JOIN operators ON operators.workspace_id = conversations.workspace_id AND operators.id = conversations.assigned_operator_id
WHERE conversations.workspace_id = @workspace_id AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @external_id::text
ORDER BY conversations.status = 'CLOSED', conversations.id DESC LIMIT 1;

-- name: WidgetConversationGet :one
-- One conversation of a visitor.
SELECT conversations.id, conversations.status, conversations.revision, operators.name AS operator_name
FROM conversations
LEFT JOIN operators ON operators.workspace_id = conversations.workspace_id AND operators.id = conversations.assigned_operator_id
WHERE conversations.workspace_id = @workspace_id AND conversations.id = @id AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @external_id::text;

-- name: SystemWidgetRevisions :many
-- The current conversations of many visitors, as WidgetConversation finds them. number is
-- the position of the visitor.
SELECT visitor.number::int AS number, latest.id, latest.revision
FROM (SELECT unnest(@numbers::int[]) AS number, unnest(@workspace_ids::uuid[]) AS workspace_id,
    unnest(@channel_ids::uuid[]) AS channel_id, unnest(@external_ids::text[]) AS external_id) AS visitor
CROSS JOIN LATERAL (
    SELECT conversations.id, conversations.revision FROM conversations
    WHERE conversations.workspace_id = visitor.workspace_id AND conversations.channel_id = visitor.channel_id
      AND conversations.identity_external_id = visitor.external_id
    ORDER BY conversations.status = 'CLOSED', conversations.id DESC LIMIT 1
) AS latest;

-- name: WidgetMessageListChanged :many
-- Messages of a conversation that have changed after a position, up to a revision.
SELECT sqlc.embed(messages), coalesce(operators.name, agents.name, '') AS author_name
FROM messages
LEFT JOIN agents ON agents.workspace_id = messages.workspace_id AND agents.id = messages.agent_id
LEFT JOIN operators ON operators.workspace_id = messages.workspace_id AND operators.id = messages.operator_id
WHERE messages.workspace_id = @workspace_id AND messages.conversation_id = @conversation_id
  AND messages.revision >= @after_revision AND (messages.revision > @after_revision OR messages.id > @after_id)
  AND messages.revision <= @through_revision
ORDER BY messages.revision, messages.id LIMIT @row_limit;

-- name: WidgetMessageListNewest :many
-- Messages of a conversation that have not changed after a revision, newest first, before
-- before_id.
SELECT sqlc.embed(messages), coalesce(operators.name, agents.name, '') AS author_name
FROM messages
LEFT JOIN agents ON agents.workspace_id = messages.workspace_id AND agents.id = messages.agent_id
LEFT JOIN operators ON operators.workspace_id = messages.workspace_id AND operators.id = messages.operator_id
WHERE messages.workspace_id = @workspace_id AND messages.conversation_id = @conversation_id
  AND messages.id < @before_id AND messages.revision <= @through_revision
ORDER BY messages.id DESC LIMIT @row_limit;

-- name: WidgetMessageGet :one
-- One message of a visitor's conversations.
SELECT messages.* FROM messages
JOIN conversations ON conversations.workspace_id = messages.workspace_id AND conversations.id = messages.conversation_id
WHERE messages.workspace_id = @workspace_id AND messages.id = @id AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @external_id::text;

-- name: WidgetAttachmentGet :one
-- One stored file of a visitor's conversations whose message was not redacted.
SELECT attachments.* FROM attachments
JOIN messages ON messages.workspace_id = attachments.workspace_id AND messages.id = attachments.message_id
JOIN conversations ON conversations.workspace_id = messages.workspace_id AND conversations.id = messages.conversation_id
WHERE attachments.workspace_id = @workspace_id AND attachments.id = @id AND attachments.state = 'STORED'
  AND messages.redacted_at IS NULL AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @external_id::text;

-- name: WidgetUploadCreate :execrows
-- Records an uploaded file; 0 rows if the workspace has max_rows of them.
INSERT INTO widget_uploads (workspace_id, id, channel_id, external_id, name, content_type, size_bytes, blob_key, created_at)
SELECT @workspace_id, @id, @channel_id, @external_id, sqlc.narg('name'), @content_type, @size_bytes, @blob_key, @created_at
WHERE (SELECT count(*) FROM widget_uploads WHERE workspace_id = @workspace_id) < @max_rows::bigint;

-- name: WidgetUploadTake :many
-- Removes and returns files of a visitor, which become attachments of a message.
DELETE FROM widget_uploads
WHERE workspace_id = @workspace_id AND channel_id = @channel_id AND external_id = @external_id AND id = ANY(@ids::uuid[])
RETURNING *;

-- name: SystemWidgetUploadListOld :many
-- Files that were not sent in time.
SELECT * FROM widget_uploads WHERE created_at < @before ORDER BY created_at LIMIT @max_rows;

-- name: WidgetUploadDeleteOld :execrows
-- Removes a file that was not sent in time.
DELETE FROM widget_uploads WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemWidgetChannelListClosed :many
-- Those of some channels that were disabled or deleted.
SELECT id FROM channels WHERE id = ANY(@ids::uuid[]) AND (deleted_at IS NOT NULL OR status = 'DISABLED');

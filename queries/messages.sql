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

-- name: MessageCreateByOperator :one
-- Creates an operator message, queued for delivery.
INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, operator_id, delivery_status, created_at)
VALUES (@workspace_id, @id, @conversation_id, 'ASSISTANT', @content, 'OPERATOR', sqlc.narg('operator_id'), 'QUEUED', @created_at)
RETURNING *;

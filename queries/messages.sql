-- name: MessageListByConversation :many
-- The whole timeline of a conversation, oldest first.
SELECT * FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id
ORDER BY id;

-- name: MessageCreateByOperator :one
-- An operator's message, waiting to be sent.
INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, operator_id, delivery_status, created_at)
VALUES (@workspace_id, @id, @conversation_id, 'ASSISTANT', @content, 'OPERATOR', sqlc.narg('operator_id'), 'QUEUED', @created_at)
RETURNING *;

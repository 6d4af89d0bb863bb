-- name: TagList :many
-- Tags before before_id, newest first.
SELECT * FROM tags
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: TagGet :one
-- One tag of the workspace.
SELECT * FROM tags WHERE workspace_id = @workspace_id AND id = @id;

-- name: TagListByConversation :many
-- The tags of a conversation, by name.
SELECT tags.* FROM tags
JOIN conversation_tags ON conversation_tags.workspace_id = tags.workspace_id AND conversation_tags.tag_id = tags.id
WHERE tags.workspace_id = @workspace_id AND conversation_tags.conversation_id = @conversation_id
ORDER BY lower(tags.name);

-- name: TagListByIDs :many
-- The tags of ids that are in the workspace, by name.
SELECT * FROM tags WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[])
ORDER BY lower(name);

-- name: TagCreate :one
-- Creates a tag; violates tags_name_key if the name is taken.
INSERT INTO tags (workspace_id, id, name, name_key, created_at)
VALUES (@workspace_id, @id, @name, @name_key::text, @created_at)
RETURNING *;

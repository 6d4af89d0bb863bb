-- name: ChannelList :many
-- Channels before before_id, newest first.
SELECT * FROM channels
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

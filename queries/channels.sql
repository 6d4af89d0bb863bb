-- name: ChannelList :many
-- Latest channels first, from below before_id.
SELECT * FROM channels
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

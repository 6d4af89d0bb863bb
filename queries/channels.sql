-- name: ChannelList :many
-- Channels before before_id, newest first.
SELECT * FROM channels
WHERE workspace_id = @workspace_id AND id < @before_id AND deleted_at IS NULL
ORDER BY id DESC LIMIT @row_limit;

-- name: ChannelGet :one
-- One channel of the workspace, also if it was deleted.
SELECT * FROM channels WHERE workspace_id = @workspace_id AND id = @id;

-- name: ChannelLock :one
-- One channel that was not deleted, locked until the transaction ends.
SELECT * FROM channels WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR UPDATE;

-- name: ChannelCount :one
-- How many channels the workspace has.
SELECT count(*) FROM channels WHERE workspace_id = @workspace_id AND deleted_at IS NULL;

-- name: ChannelCreate :one
-- Creates a channel that is not connected yet.
INSERT INTO channels (workspace_id, id, type, name, agent_id, status, config, credentials, api_base_url, error_code, error_message, error_at, created_at, updated_at)
VALUES (@workspace_id, @id, @type, @name, @agent_id, 'ERROR', @config, @credentials, sqlc.narg('api_base_url'),
    @error_code::text, @error_message::text, @created_at::timestamptz, @created_at::timestamptz, @created_at::timestamptz)
RETURNING *;

-- name: ChannelUpdate :one
-- Replaces the settings, the credentials and the status of a channel that is locked.
UPDATE channels SET
    name = @name, agent_id = @agent_id, status = @status, config = @config, credentials = @credentials, api_base_url = sqlc.narg('api_base_url'),
    error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), error_at = sqlc.narg('error_at'),
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: ChannelRecordCheck :execrows
-- Records the outcome of a check; 0 rows if the channel has changed since checked_at, or is
-- disabled. If it works, it sends what has waited without delay.
UPDATE channels SET
    status = @status, account = coalesce(sqlc.narg('account'), account), updated_at = @updated_at, failures = 0,
    error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), error_at = sqlc.narg('error_at'),
    next_send_at = CASE WHEN sqlc.narg('error_code')::text IS NULL THEN NULL ELSE next_send_at END
WHERE workspace_id = @workspace_id AND id = @id AND updated_at = @checked_at AND status <> 'DISABLED' AND deleted_at IS NULL;

-- name: ChannelDelete :execrows
-- Deletes a channel, which stays for its conversations. It keeps its credentials until it is
-- disconnected from its provider.
UPDATE channels SET status = 'DISABLED', deleted_at = @deleted_at, updated_at = @deleted_at
WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL;

-- name: ChannelForget :exec
-- Removes what a deleted channel needs no more.
UPDATE channels SET credentials = NULL, config = '{}', state = '{}', api_base_url = NULL, account = NULL,
    authorization_hash = NULL, authorization_until = NULL, error_code = NULL, error_message = NULL, error_at = NULL
WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NOT NULL;

-- name: ChannelSetState :exec
-- Stores what the connection of a channel keeps.
UPDATE channels SET state = @state WHERE workspace_id = @workspace_id AND id = @id;

-- name: ChannelAuthorizationBegin :exec
-- Begins an authorization of a channel, in place of an earlier one.
UPDATE channels SET authorization_hash = @hash, authorization_until = @until::timestamptz WHERE workspace_id = @workspace_id AND id = @id;

-- name: ChannelAuthorizationUse :execrows
-- Ends an authorization of a channel that was begun; 0 rows if it is not the latest one, or too
-- old.
UPDATE channels SET authorization_hash = NULL, authorization_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND authorization_hash = @hash AND authorization_until > @now::timestamptz
  AND status <> 'DISABLED' AND deleted_at IS NULL;

-- name: SystemChannelGet :one
-- The channel of a hook, whose path names no workspace.
SELECT * FROM channels WHERE id = @id;

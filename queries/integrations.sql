-- name: IntegrationCreateWebhook :one
-- A subscription.
INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, expires_at, created_at, updated_at)
VALUES (@workspace_id, @id, 'WEBHOOK', @url::text, @events, 'CONNECTED', @secret, sqlc.narg('expires_at'), @created_at, @created_at)
RETURNING *;

-- name: IntegrationList :many
-- Latest integrations first, from below before_id.
SELECT * FROM integrations
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: IntegrationGet :one
-- One integration of the workspace.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id;

-- name: IntegrationLock :one
-- One integration, held until the transaction ends.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id FOR NO KEY UPDATE;

-- name: IntegrationUpdate :one
-- Sets address, events and status; an error and what led to it are forgotten.
UPDATE integrations SET
    url = @url, events = @events, status = @status,
    error_code = NULL, error_message = NULL, error_at = NULL,
    failures = 0, failing_since = NULL, paused_until = NULL,
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: IntegrationSetSecret :exec
-- Replaces the secret; the previous one signs on until it expires.
UPDATE integrations SET
    secret = @secret, previous_secret = sqlc.narg('previous_secret'),
    previous_secret_expires_at = sqlc.narg('previous_secret_expires_at'), updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id;

-- name: IntegrationDelete :execrows
-- Removes an integration with its deliveries; 0 rows where there is none.
DELETE FROM integrations WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemIntegrationRecordSuccess :exec
-- Ends a row of failures.
UPDATE integrations SET
    status = CASE status WHEN 'ERROR' THEN 'CONNECTED' ELSE status END,
    error_code = NULL, error_message = NULL, error_at = NULL,
    failures = 0, failing_since = NULL, paused_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND failures > 0 AND status <> 'DISABLED';

-- name: SystemIntegrationRecordFailures :one
-- Adds to a row of failures. Up to break_at each counts; from there on, one for each
-- time that the endpoint was tried again: what still came of the attempts before is no
-- news. Then it is held back already.
UPDATE integrations SET
    status = 'ERROR', error_code = 'webhook.failing', error_message = @message::text,
    error_at = coalesce(failing_since, @at::timestamptz), failing_since = coalesce(failing_since, @at::timestamptz),
    failures = CASE
        WHEN paused_until > @at::timestamptz THEN failures
        WHEN failures >= @break_at::integer THEN failures + 1
        ELSE least(failures + @count::integer, @break_at::integer)
    END
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED'
RETURNING failures, failing_since::timestamptz AS failing_since, coalesce(paused_until > @at::timestamptz, false)::boolean AS held;

-- name: SystemIntegrationPause :exec
-- Holds back all deliveries to it.
UPDATE integrations SET paused_until = @until::timestamptz WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemIntegrationDisable :exec
-- Switches a webhook off, saying why.
UPDATE integrations SET
    status = 'DISABLED', error_code = 'webhook.disabled', error_message = @message::text, error_at = @at::timestamptz, updated_at = @at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED';

-- name: SystemIntegrationDeleteExpired :execrows
-- Removes temporary integrations whose time is over.
DELETE FROM integrations WHERE expires_at < @now::timestamptz;

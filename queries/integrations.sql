-- name: IntegrationCreateWebhook :one
-- Creates a webhook.
INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, expires_at, created_at, updated_at)
VALUES (@workspace_id, @id, 'WEBHOOK', @url::text, @events, 'CONNECTED', @secret, sqlc.narg('expires_at'), @created_at, @created_at)
RETURNING *;

-- name: IntegrationList :many
-- Integrations before before_id, latest first.
SELECT * FROM integrations
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: IntegrationGet :one
-- One integration of the workspace.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id;

-- name: IntegrationLock :one
-- One integration, locked until the transaction ends.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id FOR NO KEY UPDATE;

-- name: IntegrationUpdate :one
-- Sets URL, event types and status; clears the error and the failure count.
UPDATE integrations SET
    url = @url, events = @events, status = @status,
    error_code = NULL, error_message = NULL, error_at = NULL,
    failures = 0, failing_since = NULL, paused_until = NULL,
    updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: IntegrationSetSecret :exec
-- Replaces the secret; the previous one also signs until it expires. This repairs a
-- webhook whose secret could not be decrypted.
UPDATE integrations SET
    status = CASE WHEN status = 'ERROR' AND error_code = 'webhook.secret_unreadable' THEN 'CONNECTED' ELSE status END,
    error_message = CASE WHEN error_code = 'webhook.secret_unreadable' THEN NULL ELSE error_message END,
    error_at = CASE WHEN error_code = 'webhook.secret_unreadable' THEN NULL ELSE error_at END,
    error_code = CASE WHEN error_code = 'webhook.secret_unreadable' THEN NULL ELSE error_code END,
    secret = @secret, previous_secret = sqlc.narg('previous_secret'),
    previous_secret_expires_at = sqlc.narg('previous_secret_expires_at'), updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id;

-- name: IntegrationDelete :execrows
-- Deletes an integration with its deliveries; 0 rows if there is none.
DELETE FROM integrations WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemIntegrationSetUnreadable :exec
-- Reports a webhook whose secret cannot be decrypted.
UPDATE integrations SET status = 'ERROR', error_code = 'webhook.secret_unreadable', error_message = @message::text, error_at = @at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED' AND error_code IS DISTINCT FROM 'webhook.secret_unreadable';

-- name: SystemIntegrationRecordSuccess :exec
-- Resets the failure count of an endpoint.
UPDATE integrations SET
    status = CASE status WHEN 'ERROR' THEN 'CONNECTED' ELSE status END,
    error_code = NULL, error_message = NULL, error_at = NULL,
    failures = 0, failing_since = NULL, paused_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND failures > 0 AND status <> 'DISABLED';

-- name: SystemIntegrationRecordFailures :one
-- Adds to the failure count. Up to down_after each failure counts; then one for each
-- test after a pause. Failures during a pause are of attempts that were in flight when
-- it began, and do not count.
UPDATE integrations SET
    status = 'ERROR', error_code = 'webhook.failing', error_message = @message::text,
    error_at = coalesce(failing_since, @at::timestamptz), failing_since = coalesce(failing_since, @at::timestamptz),
    failures = CASE
        WHEN paused_until > @at::timestamptz THEN failures
        WHEN failures >= @down_after::integer THEN failures + 1
        ELSE least(failures + @count::integer, @down_after::integer)
    END
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED'
RETURNING failures, failing_since::timestamptz AS failing_since, coalesce(paused_until > @at::timestamptz, false)::boolean AS paused;

-- name: SystemIntegrationPause :exec
-- Pauses deliveries to a webhook.
UPDATE integrations SET paused_until = @until::timestamptz WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemIntegrationDisable :exec
-- Disables a webhook and records the reason.
UPDATE integrations SET
    status = 'DISABLED', error_code = 'webhook.disabled', error_message = @message::text, error_at = @at::timestamptz, updated_at = @at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED';

-- name: SystemIntegrationDeleteExpired :execrows
-- Deletes up to max_rows temporary integrations that have expired and whose deliveries are deleted.
DELETE FROM integrations WHERE (workspace_id, id) IN (
  SELECT old.workspace_id, old.id FROM integrations AS old WHERE old.expires_at < @now::timestamptz AND NOT EXISTS (
    SELECT 1 FROM webhook_deliveries WHERE webhook_deliveries.workspace_id = old.workspace_id AND webhook_deliveries.integration_id = old.id
  ) LIMIT @max_rows
);

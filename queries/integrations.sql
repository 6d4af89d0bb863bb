-- name: IntegrationCountWebhooks :one
-- The number of the workspace's webhooks, without those that have expired.
SELECT count(*) FROM integrations
WHERE workspace_id = @workspace_id AND type = 'WEBHOOK' AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > @now::timestamptz);

-- name: IntegrationCreateWebhook :one
-- Creates a webhook.
INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, expires_at, created_at, updated_at)
VALUES (@workspace_id, @id, 'WEBHOOK', @url::text, @events, 'CONNECTED', @secret, sqlc.narg('expires_at'), @created_at, @created_at)
RETURNING *;

-- name: IntegrationList :many
-- Integrations before before_id, latest first.
SELECT * FROM integrations
WHERE workspace_id = @workspace_id AND id < @before_id AND deleted_at IS NULL
ORDER BY id DESC LIMIT @row_limit;

-- name: IntegrationGet :one
-- One integration of the workspace.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL;

-- name: IntegrationLock :one
-- One integration, locked until the transaction ends.
SELECT * FROM integrations WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR NO KEY UPDATE;

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

-- name: IntegrationDelete :exec
-- Makes an integration disappear. It is disabled too, so that no event is sent to it.
UPDATE integrations SET deleted_at = @now::timestamptz, status = 'DISABLED' WHERE workspace_id = @workspace_id AND id = @id;

-- name: IntegrationRemove :exec
-- Removes a deleted integration from the database, with the deliveries that are left.
DELETE FROM integrations WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NOT NULL;

-- name: SystemIntegrationSetUnreadable :exec
-- Reports a webhook whose secret cannot be decrypted.
UPDATE integrations SET status = 'ERROR', error_code = 'webhook.secret_unreadable', error_message = @message::text, error_at = @at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND status <> 'DISABLED' AND error_code IS DISTINCT FROM 'webhook.secret_unreadable';

-- name: SystemIntegrationRecordSuccess :exec
-- Resets the failure counts of endpoints. Here and below, rows are locked in order, since
-- other processes update them too.
WITH locked AS (
    SELECT integrations.workspace_id, integrations.id FROM integrations
    WHERE (integrations.workspace_id, integrations.id) IN (SELECT unnest(@workspace_ids::uuid[]), unnest(@integration_ids::uuid[]))
      AND integrations.failures > 0 AND integrations.status <> 'DISABLED'
    ORDER BY integrations.workspace_id, integrations.id FOR NO KEY UPDATE
)
UPDATE integrations SET
    status = CASE status WHEN 'ERROR' THEN 'CONNECTED' ELSE status END,
    error_code = NULL, error_message = NULL, error_at = NULL,
    failures = 0, failing_since = NULL, paused_until = NULL
FROM locked WHERE integrations.workspace_id = locked.workspace_id AND integrations.id = locked.id;

-- name: SystemIntegrationRecordFailures :many
-- Adds to the failure counts of endpoints. Up to down_after each failure counts; then one
-- for each test after a pause. Failures during a pause are of attempts that were in flight
-- when it began, and do not count.
WITH failed AS (
    SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@integration_ids::uuid[]) AS id,
        unnest(@messages::text[]) AS message, unnest(@counts::integer[]) AS attempts
), locked AS (
    SELECT integrations.workspace_id, integrations.id, failed.message, failed.attempts FROM integrations
    JOIN failed ON failed.workspace_id = integrations.workspace_id AND failed.id = integrations.id
    WHERE integrations.status <> 'DISABLED'
    ORDER BY integrations.workspace_id, integrations.id FOR NO KEY UPDATE OF integrations
)
UPDATE integrations SET
    status = 'ERROR', error_code = 'webhook.failing', error_message = locked.message,
    error_at = coalesce(integrations.failing_since, @at::timestamptz), failing_since = coalesce(integrations.failing_since, @at::timestamptz),
    failures = CASE
        WHEN integrations.paused_until > @at::timestamptz THEN integrations.failures
        WHEN integrations.failures >= @down_after::integer THEN integrations.failures + 1
        ELSE least(integrations.failures + locked.attempts, @down_after::integer)
    END
FROM locked WHERE integrations.workspace_id = locked.workspace_id AND integrations.id = locked.id
RETURNING integrations.workspace_id, integrations.id, integrations.failures, integrations.failing_since::timestamptz AS failing_since,
    coalesce(integrations.paused_until > @at::timestamptz, false)::boolean AS paused;

-- name: SystemIntegrationPause :exec
-- Pauses deliveries to webhooks, each until its own time.
WITH pause AS (
    SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@integration_ids::uuid[]) AS id, unnest(@untils::timestamptz[]) AS until
), locked AS (
    SELECT integrations.workspace_id, integrations.id, pause.until FROM integrations
    JOIN pause ON pause.workspace_id = integrations.workspace_id AND pause.id = integrations.id
    ORDER BY integrations.workspace_id, integrations.id FOR NO KEY UPDATE OF integrations
)
UPDATE integrations SET paused_until = locked.until
FROM locked WHERE integrations.workspace_id = locked.workspace_id AND integrations.id = locked.id;

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

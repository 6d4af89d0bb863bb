-- name: WebhookDeliveryList :many
-- Deliveries to a webhook before before_id, latest first, with their events.
SELECT sqlc.embed(webhook_deliveries), events.id AS event_id, events.type AS event_type
FROM webhook_deliveries
JOIN events ON events.workspace_id = webhook_deliveries.workspace_id AND events.sequence = webhook_deliveries.event_sequence
WHERE webhook_deliveries.workspace_id = @workspace_id AND webhook_deliveries.integration_id = @integration_id
  AND webhook_deliveries.id < @before_id
ORDER BY webhook_deliveries.id DESC LIMIT @row_limit;

-- name: WebhookDeliveryGet :one
-- One delivery with its event.
SELECT sqlc.embed(webhook_deliveries), events.id AS event_id, events.type AS event_type
FROM webhook_deliveries
JOIN events ON events.workspace_id = webhook_deliveries.workspace_id AND events.sequence = webhook_deliveries.event_sequence
WHERE webhook_deliveries.workspace_id = @workspace_id AND webhook_deliveries.integration_id = @integration_id
  AND webhook_deliveries.id = @id;

-- name: WebhookDeliveryRepeat :execrows
-- Makes a delivery due now, with a new schedule; an attempt in flight goes on.
UPDATE webhook_deliveries SET
    leased_until = CASE status WHEN 'PENDING' THEN leased_until END,
    status = 'PENDING', next_attempt_at = @now, tries = 0
WHERE workspace_id = @workspace_id AND integration_id = @integration_id AND id = @id;

-- name: WebhookDeliveryRecord :execrows
-- Creates a delivery whose only attempt was made during the request; 0 rows if the webhook
-- was deleted meanwhile.
INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, status, next_attempt_at, tries, attempts, created_at)
SELECT webhook.workspace_id, webhook.id, @id::uuid, @event_sequence::bigint, @status::text, @created_at::timestamptz, 1, @attempts::jsonb, @created_at::timestamptz
FROM integrations AS webhook
WHERE webhook.workspace_id = @workspace_id AND webhook.id = @integration_id AND webhook.deleted_at IS NULL;

-- name: WebhookDeliveryDeleteSome :execrows
-- Deletes up to max_rows deliveries to a webhook.
DELETE FROM webhook_deliveries WHERE (workspace_id, integration_id, id) IN (
  SELECT few.workspace_id, few.integration_id, few.id FROM webhook_deliveries AS few
  WHERE few.workspace_id = @workspace_id AND few.integration_id = @integration_id LIMIT @max_rows
);

-- name: SystemWebhookDueList :many
-- Webhooks that have a delivery due and are neither disabled nor paused.
SELECT * FROM integrations
WHERE (workspace_id, id) IN (SELECT due.of_workspace, due.webhook FROM due_webhooks(@now::timestamptz) AS due)
  AND status <> 'DISABLED' AND (paused_until IS NULL OR paused_until <= @now::timestamptz);

-- name: SystemWebhookDeliveryClaim :many
-- Leases due deliveries of some webhooks, up to a limit for each. Deliveries orphaned
-- by a crash are due again when the lease ends. Events are joined to what is claimed
-- already, so that no plan reads other events of the workspaces.
WITH due AS (
    SELECT found.workspace_id, found.integration_id, found.id
    FROM (SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@integration_ids::uuid[]) AS id, unnest(@limits::integer[]) AS capacity) AS endpoint
    CROSS JOIN LATERAL (
        SELECT waiting.workspace_id, waiting.integration_id, waiting.id FROM webhook_deliveries AS waiting
        WHERE waiting.workspace_id = endpoint.workspace_id AND waiting.integration_id = endpoint.id AND waiting.status = 'PENDING'
          AND waiting.next_attempt_at <= @now AND (waiting.leased_until IS NULL OR waiting.leased_until <= @now)
        ORDER BY waiting.next_attempt_at LIMIT endpoint.capacity FOR UPDATE SKIP LOCKED
    ) AS found
), claimed AS (
    UPDATE webhook_deliveries AS delivery SET leased_until = @until::timestamptz
    FROM due
    WHERE delivery.workspace_id = due.workspace_id AND delivery.integration_id = due.integration_id AND delivery.id = due.id
    RETURNING delivery.workspace_id, delivery.integration_id, delivery.id, delivery.tries, delivery.event_sequence
)
SELECT claimed.workspace_id, claimed.integration_id, claimed.id, claimed.tries,
    events.id AS event_id, events.type AS event_type, events.sequence, events.occurred_at, events.data
FROM claimed JOIN events ON events.workspace_id = claimed.workspace_id AND events.sequence = claimed.event_sequence;

-- name: SystemWebhookDeliveryAcknowledge :exec
-- Records attempts in a batch. A delivery with a final status keeps it.
SELECT record_attempts(@workspace_ids::uuid[], @integration_ids::uuid[], @ids::uuid[], @statuses::text[], @next_attempts::timestamptz[], @attempts::text[]);

-- name: SystemWebhookDeliveryRequeue :exec
-- Ends the lease of deliveries that were not attempted.
UPDATE webhook_deliveries AS delivery SET leased_until = NULL
FROM (
    SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@integration_ids::uuid[]) AS integration_id, unnest(@ids::uuid[]) AS id
) AS requeued
WHERE delivery.workspace_id = requeued.workspace_id AND delivery.integration_id = requeued.integration_id AND delivery.id = requeued.id;

-- name: SystemWebhookDeliveryDeleteOld :execrows
-- Deletes up to max_rows deliveries created before a time.
DELETE FROM webhook_deliveries WHERE (workspace_id, integration_id, id) IN (
  SELECT workspace_id, integration_id, id FROM webhook_deliveries AS old WHERE old.created_at < @before LIMIT @max_rows
);

-- name: SystemWebhookDeliveryDeleteOfExpired :execrows
-- Deletes up to max_rows deliveries of temporary integrations that have expired.
DELETE FROM webhook_deliveries WHERE (workspace_id, integration_id, id) IN (
  SELECT webhook_deliveries.workspace_id, webhook_deliveries.integration_id, webhook_deliveries.id
  FROM integrations JOIN webhook_deliveries ON webhook_deliveries.workspace_id = integrations.workspace_id AND integration_id = integrations.id
  WHERE integrations.expires_at < @now::timestamptz LIMIT @max_rows
);
